import { App, BootstraplessSynthesizer, Stack } from 'aws-cdk-lib';
import { Publisher } from './publisher.js';

const app = new App();

/** A value of the context: `-c name=value`, or an entry of cdk.json. */
function context(name: string): string {
  const value: unknown = app.node.tryGetContext(name);
  if (typeof value !== 'string' || value === '') {
    throw new Error(`say -c ${name}=…`);
  }
  return value;
}

// The template has no assets, so the account need not be bootstrapped for CDK.
const stack = new Stack(app, context('stack'), { synthesizer: new BootstraplessSynthesizer() });

new Publisher(stack, 'Publisher', {
  release: context('release'),
  codeBucket: context('codeBucket'),
  buckets: context('buckets').split(','),
  userName: context('userName'),
});
