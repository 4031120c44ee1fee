// The peer in JavaScript: the same resource with AWS's SDK, answering by itself as AWS's own `cfn-response` does. It
// only makes, changes and removes the four things. It observes, proves and repairs nothing.
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  IAMClient,
  ListAccessKeysCommand,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import { CreateSecretCommand, DeleteSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

const iam = new IAMClient({});
const secrets = new SecretsManagerClient({});
const PolicyName = "S3AccessPolicy";

async function putPolicy({ UserName, Buckets }) {
  const arns = Buckets.map((bucket) => `arn:aws:s3:::${bucket}`);
  const Statement = [
    { Effect: "Allow", Action: "s3:ListBucket", Resource: arns },
    { Effect: "Allow", Action: "s3:GetObject", Resource: arns.map((arn) => `${arn}/*`) },
  ];
  const PolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName, PolicyDocument }));
}

const requests = {
  async Create({ ResourceProperties: properties }) {
    const { UserName } = properties;
    const { User } = await iam.send(new CreateUserCommand({ UserName }));
    await putPolicy(properties);
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
    const { AccessKeyId, SecretAccessKey } = AccessKey;
    const SecretString = JSON.stringify({ AccessKeyId, SecretAccessKey });
    const { ARN, Name } = await secrets.send(new CreateSecretCommand({ Name: `publisher/${UserName}`, SecretString }));
    return { PhysicalResourceId: Name, Data: { UserName, UserArn: User.Arn, SecretArn: ARN } };
  },
  async Update({ ResourceProperties, PhysicalResourceId }) {
    await putPolicy(ResourceProperties);
    return { PhysicalResourceId };
  },
  async Delete({ ResourceProperties: { UserName }, PhysicalResourceId }) {
    const { AccessKeyMetadata } = await iam.send(new ListAccessKeysCommand({ UserName }));
    for (const { AccessKeyId } of AccessKeyMetadata) {
      await iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId }));
    }
    await iam.send(new DeleteUserPolicyCommand({ UserName, PolicyName }));
    await iam.send(new DeleteUserCommand({ UserName }));
    await secrets.send(new DeleteSecretCommand({ SecretId: PhysicalResourceId, ForceDeleteWithoutRecovery: true }));
    return { PhysicalResourceId };
  },
};

export async function handler(event) {
  const { StackId, RequestId, LogicalResourceId, PhysicalResourceId = LogicalResourceId } = event;
  let answer;
  try {
    answer = { Status: "SUCCESS", ...(await requests[event.RequestType](event)) };
  } catch (error) {
    answer = { Status: "FAILED", Reason: String(error), PhysicalResourceId };
  }
  const body = JSON.stringify({ ...answer, StackId, RequestId, LogicalResourceId });
  await fetch(event.ResponseURL, { method: "PUT", body, headers: { "content-type": "" } });
}
