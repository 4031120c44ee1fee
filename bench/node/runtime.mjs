// Lambda's runtime loop in a few lines: AWS's own for Node compiles C++ when it is installed.
import http from "node:http";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body = "") {
  return new Promise((resolve, reject) => {
    const options = { host, port, agent, method, path: `/2018-06-01/runtime/${path}`, headers: { "content-length": body.length } };
    const request = http.request(options, async (response) => {
      const parts = [];
      for await (const part of response) parts.push(part);
      resolve({ headers: response.headers, body: Buffer.concat(parts).toString() });
    });
    request.on("error", reject);
    request.end(body);
  });
}

const { handler } = await import("./index.mjs");
for (;;) {
  const event = await call("GET", "invocation/next");
  await handler(JSON.parse(event.body));
  await call("POST", `invocation/${event.headers["lambda-runtime-aws-request-id"]}/response`, "null");
}
