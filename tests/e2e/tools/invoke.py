"""Invokes a function asynchronously, once for each event: a line of JSON in a file.

    python tests/e2e/tools/invoke.py FUNCTION FILE

One process for all of them: the AWS command line takes half a second of computing for each.
"""

import sys

import boto3


def main():
    function, file = sys.argv[1:]
    client = boto3.client("lambda")
    with open(file, encoding="utf-8") as events:
        for event in events:
            client.invoke(FunctionName=function, InvocationType="Event", Payload=event)


if __name__ == "__main__":
    main()
