"""Requests that are spoilt on purpose, each in another way. For each, the check must say what is wrong and nothing else.

    .tools/python/bin/python tests/e2e/tools/spoilt_requests.py
"""

import json
import sys
import urllib.parse

import service_models

TOKEN = "12345678-1234-1234-1234-123456789012"


def signed(service, **headers):
    scope = f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request, Signature=0"
    return {"authorization": scope, **headers}


def iam(**changes):
    form = {
        "Action": "CreateUser", "Version": "2010-05-08", "UserName": "publisher-reader",
        "Tags.member.1.Key": "Team", "Tags.member.1.Value": "genomics", **changes,
    }
    body = urllib.parse.urlencode({name: value for name, value in form.items() if value is not None})
    return service_models.Request("POST", "/", "", signed("iam"), body.encode())


def secret(**changes):
    document = {"SecretId": "publisher/reader", "ClientRequestToken": TOKEN, "SecretString": "{}", **changes}
    headers = {"x-amz-target": "secretsmanager.PutSecretValue", "content-type": "application/x-amz-json-1.1"}
    return service_models.Request("POST", "/", "", signed("secretsmanager", **headers), json.dumps(document).encode())


def listing(query):
    return service_models.Request("GET", "/reads", query, signed("s3"), b"")


SOUND = [iam(), secret(), listing("list-type=2&max-keys=1&prefix=")]
SPOILT = [
    ("a name that is none", iam(Username="x"), ".Username: is no member"),
    ("a required member left out", iam(UserName=None), ".UserName: is missing"),
    ("a list of another type", secret(VersionStages="AWSCURRENT"), ".VersionStages: is no list"),
    ("a token that is too short", secret(ClientRequestToken="1"), ".ClientRequestToken: is not within 32..64"),
    ("a character that no name has", iam(UserName="publisher reader"), r".UserName: does not match [\w+=,.@-]+"),
    ("a value that is not listed", listing("list-type=2&encoding-type=html"), ".EncodingType: is none of ['url']"),
    ("a number below the least", iam(Action="ListAccessKeys", MaxItems="0", **{
        "Tags.member.1.Key": None, "Tags.member.1.Value": None,
    }), ".MaxItems: is not within 1..1000"),
]


def main():
    wrong = [f"a sound request: {problems}" for *_, problems in map(service_models.check, SOUND) if problems]
    for name, request, expected in SPOILT:
        *_, problems = service_models.check(request)
        if problems != [expected]:
            wrong.append(f"{name}: {problems}, not {expected}")
    print("\n".join(wrong) or f"{len(SPOILT)} spoilt requests are noticed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
