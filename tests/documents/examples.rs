//! Snippets that stand for a file of `examples`.

use crate::pages::{pages, text};

#[test]
fn modules_are_called_with_variables_and_outputs_that_they_have() {
    let variables = text("examples/terraform/variables.tf");
    let outputs = text("examples/terraform/outputs.tf");
    let mut seen = 0;
    let blocks = pages()
        .into_iter()
        .flat_map(|page| page.blocks().into_iter());
    for block in blocks.filter(|block| block.language == "hcl") {
        let (_, module) = block
            .text
            .split_once("module \"publisher\" {\n")
            .expect("a module");
        let (arguments, rest) = module.split_once("\n}\n").expect("its end");
        let names = arguments.lines().filter_map(|line| line.split_once('='));
        for name in names
            .map(|(name, _)| name.trim())
            .filter(|name| *name != "source")
        {
            let declared = variables.contains(&format!("variable \"{name}\" {{"));
            assert!(declared, "{}: {name}", block.place);
            seen += 1;
        }
        let outputs_used = rest.split("module.publisher.").skip(1);
        for name in outputs_used.filter_map(|rest| rest.lines().next()) {
            let declared = outputs.contains(&format!("output \"{name}\" {{"));
            assert!(declared, "{}: {name}", block.place);
        }
    }
    assert!(seen > 0, "no module is called");
}
