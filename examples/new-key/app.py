"""Takes a new key from the secret as soon as the stack tells of it, and hands it on.

As a Lambda function (handler `app.handler`), it is subscribed to the stack's topic, or gets the messages of a queue that is.
As a program, it takes what is in such a queue:

    python app.py QUEUE_URL

A message never holds the key. It needs `secretsmanager:GetSecretValue` on the secret, and to take from the queue.
"""

import json
import sys

import boto3


def hand_on(key):
    """Replace this: give `key["AccessKeyId"]` and `key["SecretAccessKey"]` to what reads the buckets. Print neither."""


def take(message, secrets):
    news = json.loads(message)
    # The stack's alarms come to the topic too, in CloudWatch's form.
    event = news.get("event") or news.get("AlarmName")
    if event != "new-key":
        print(event, *(finding["about"] for finding in news.get("findings", ())))
        return
    # The current version, not the one of the message: the message may be old.
    key = json.loads(secrets.get_secret_value(SecretId=news["secret"])["SecretString"])
    hand_on(key)
    print("new-key", key["AccessKeyId"])


def handler(event, _context):
    secrets = boto3.client("secretsmanager")
    for record in event["Records"]:
        envelope = record.get("Sns") or json.loads(record["body"])
        take(envelope["Message"], secrets)


def main(queue):
    sqs, secrets = boto3.client("sqs"), boto3.client("secretsmanager")
    while messages := sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages"):
        for message in messages:
            take(json.loads(message["Body"])["Message"], secrets)
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main(sys.argv[1])
