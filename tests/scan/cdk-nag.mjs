// Runs the packs of cdk-nag over a template; the report goes to `validation-report.json` in the folder.
// `make scan` copies this file beside its packages.
import cdk from "aws-cdk-lib";
import include from "aws-cdk-lib/cloudformation-include";
import nag from "cdk-nag";

const [template, folder] = process.argv.slice(2);
const app = new cdk.App({ outdir: folder, analyticsReporting: false });
new include.CfnInclude(new cdk.Stack(app, "Stack"), "Template", { templateFile: template });
const packs = [
  nag.AwsSolutionsChecks, nag.HIPAASecurityChecks, nag.NIST80053R5Checks, nag.PCIDSS321Checks, nag.ServerlessChecks,
];
packs.forEach((Pack) => cdk.Validations.of(app).addPlugins(new Pack(app)));
try {
  app.synth();
} catch (error) {
  // It ends so when it has found something.
  if (!error.message.startsWith("Validation failed")) throw error;
}
