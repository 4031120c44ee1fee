import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Construct } from 'constructs';

export interface PublisherProps {
  /** Path to the folder of a release, such as ./publisher-s3-access-0.3.0. */
  readonly release: string;
  /** The bucket that the folder was uploaded to, in the stack's region. */
  readonly codeBucket: string;
  /** The folder in that bucket that holds the release's, with its final slash. */
  readonly codePrefix?: string;
  /** What Publisher may read: buckets, s3://bucket/folder/ addresses, or ARNs of buckets. */
  readonly buckets: string[];
  /** Names of the buckets that may ever be read; a name may end in `*`. */
  readonly readableBuckets?: string[];
  /** Begins with `publisher-`, and is unused in the account. */
  readonly userName?: string;
  /** Raise it for a new key. */
  readonly keySerial?: number;
  /** Other parameters of the template, such as `{ RotationDays: '45', NotificationEmail: 'genomics@example.com' }`. */
  readonly parameters?: Record<string, string>;
}

/** A release of publisher-s3-access as a part of a stack. One fits in a stack: its logical ids stay as they are. */
export class Publisher extends Construct {
  /** The secret that holds the key. */
  readonly secretArn: string;
  /** The user's ARN, as bucket policies name it. */
  readonly userArn: string;

  constructor(scope: Construct, id: string, props: PublisherProps) {
    super(scope, id);
    const templateFile = join(props.release, 'template.yaml');
    if (!basename(props.release).startsWith('publisher-s3-access-') || !existsSync(templateFile)) {
      throw new Error(`${props.release} is no folder of a release: it must be publisher-s3-access-<version> with a template.yaml`);
    }
    const parameters: Record<string, unknown> = {
      ...props.parameters,
      CodeBucket: props.codeBucket,
      CodePrefix: props.codePrefix ?? '',
      Buckets: props.buckets,
    };
    if (props.readableBuckets !== undefined) parameters.ReadableBuckets = props.readableBuckets;
    if (props.userName !== undefined) parameters.UserName = props.userName;
    if (props.keySerial !== undefined) parameters.KeySerial = String(props.keySerial);
    const template = new CfnInclude(this, 'Template', { templateFile, parameters });
    const access = template.getResource('S3Access');
    this.secretArn = access.getAtt('SecretArn').toString();
    this.userArn = access.getAtt('UserArn').toString();
  }
}
