"""What surrounds the measured functions: an emulated AWS, a place for their answers, and a proxy that delays calls."""

import datetime
import http.client
import http.server
import ipaddress
import itertools
import json
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.parse

import boto3
import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# The runtime interface emulator gives every function an ARN in this account and region.
ACCOUNT, REGION = "012345678912", "us-east-1"


class Emulator:
    """The AWS of the demo and the end-to-end tests, with buckets to read."""

    def __init__(self, repository, log):
        launcher = repository / "tests/e2e/tools/emulator.py"
        python = repository / ".tools/python/bin/python"
        command = [python, "-u", launcher, "--account", ACCOUNT, "--stop-at-eof"]
        self.log = open(log, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        ready = self.process.stdout.readline().decode().split()
        if not ready:
            raise SystemExit(f"bench: the emulator did not start, see {log}")
        self.origin = ready[1]

    def client(self, service):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.origin, **keys)

    def prepare(self, buckets):
        s3 = self.client("s3")
        for bucket in buckets:
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key="folder/object", Body=b"some bytes")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)
        self.log.close()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves in a thread of its own on a free port of this machine."""

    daemon_threads = True
    request_queue_size = 256
    scheme = "http"

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def origin(self):
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # a function that was ended breaks its connections


class Sink(Server):
    """The target of CloudFormation's pre-signed URLs, over TLS like S3."""

    scheme = "https"

    def __init__(self, folder):
        super().__init__(SinkHandler)
        self.answers = {}
        self.numbers = itertools.count()
        self.roots = folder / "roots.pem"
        chain, key = folder / "chain.pem", folder / "key.pem"
        write_certificates(self.roots, chain, key)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(chain, key)

    def get_request(self):
        connection, address = super().get_request()
        # The handshake is left to the thread that serves the connection.
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def url(self):
        return f"{self.origin}/answer/{next(self.numbers)}?X-Amz-Signature=0"

    def answer(self, url):
        """The answer that came to a URL."""
        return json.loads(self.answers.pop(url.removeprefix(self.origin)))


class SinkHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_PUT(self):
        self.server.answers[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class CloudFormation(Server):
    """Shows one stack at work on every resource that a request was sent for."""

    stack_id = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/bench/8f0c5e3a-6d1b-4c58-9f5a-2f6c1f6f9c11"

    def __init__(self):
        super().__init__(CloudFormationHandler)
        self.delay = 0.0
        self.at_work = {}

    def begin(self, event):
        """From now on the resource of this request is shown at work."""
        physical_id = event.get("PhysicalResourceId", "")
        self.at_work[event["LogicalResourceId"]] = f"{event['RequestType'].upper()}_IN_PROGRESS", physical_id

    def described(self, query):
        """What the two operations that the function calls answer."""
        ids = f"<StackId>{self.stack_id}</StackId><StackName>bench</StackName>"
        if query["Action"] == "DescribeStacks":
            member = f"{ids}<StackStatus>UPDATE_IN_PROGRESS</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime>"
            return f"<Stacks><member>{member}</member></Stacks>"
        status, physical_id = self.at_work[query["LogicalResourceId"]]
        members = {
            "LogicalResourceId": query["LogicalResourceId"], "PhysicalResourceId": physical_id,
            "ResourceType": "Custom::PublisherS3Access", "ResourceStatus": status,
            "LastUpdatedTimestamp": "2026-01-01T00:00:00Z",
        }
        text = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
        return f"<StackResourceDetail>{ids}{text}</StackResourceDetail>"


class CloudFormationHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        time.sleep(self.server.delay)
        query = dict(urllib.parse.parse_qsl(body))
        action = query["Action"]
        text = f"<{action}Response><{action}Result>{self.server.described(query)}</{action}Result></{action}Response>"
        self.send_response_only(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Proxy(Server):
    """A proxy between functions and emulator that makes every call take longer, or refuses some, as AWS does."""

    def __init__(self, emulator, delay=0.0, refuse_every=0):
        super().__init__(ProxyHandler)
        self.upstream = urllib.parse.urlsplit(emulator.origin).netloc
        self.delay = delay
        self.refuse_every = refuse_every
        self.lock = threading.Lock()
        self.calls = self.refusable = self.refused = 0

    def refuses(self, refusable):
        """Counts a call, and says whether this one is refused."""
        with self.lock:
            self.calls += 1
            self.refusable += refusable
            refused = refusable and self.refuse_every and self.refusable % self.refuse_every == 0
            self.refused += bool(refused)
            return refused


class ProxyHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.upstream = http.client.HTTPConnection(self.server.upstream)

    def finish(self):
        self.upstream.close()
        super().finish()

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.delay)
        # IAM and STS say it in the same words; the others are let through.
        if self.server.refuses(refusable=body.startswith(b"Action=")):
            refusal = b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
            return self.reply(400, [("Content-Type", "text/xml")], refusal)
        # Passed on as it came: the signature covers host and headers.
        self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            self.upstream.putheader(name, value)
        self.upstream.endheaders(body)
        answer = self.upstream.getresponse()
        self.reply(answer.status, answer.getheaders(), answer.read())

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = forward

    def reply(self, status, headers, body):
        framing = ("content-length", "transfer-encoding", "connection")
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in framing:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def write_certificates(roots, chain, key):
    """A certificate authority of our own beside all public ones, as many as a function on AWS reads; and what it signed."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name, signer_name, signer_key, public_key, extension):
        named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, signer_name)]
        builder = x509.CertificateBuilder().subject_name(named[0]).issuer_name(named[1]).public_key(public_key)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=2)).add_extension(extension, critical=True)
        return builder.sign(signer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.BasicConstraints(ca=True, path_length=0)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    root = certificate("bench root", "bench root", root_key, root_key.public_key(), authority)
    roots.write_bytes(open(certifi.where(), "rb").read() + root)
    chain.write_bytes(certificate("bench", "bench root", root_key, leaf_key.public_key(), address))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(leaf_key.private_bytes(encoding, form, serialization.NoEncryption()))
