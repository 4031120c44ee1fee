//! Warnings: what a person should look at though the stack is green.

use crate::request::labels::with_labels;

/// One sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The weightier first.
    pub weight: Weight,
    pub text: String,
}

/// How much a warning weighs: the first weighs most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The key cannot read what it should, or that was not seen.
    Access,
    /// A new key was asked for, and none was made.
    NoNewKey,
    /// The secret is not as the template says.
    Secret,
    /// A key is left that nobody may need.
    Key,
    /// Something was left out.
    LeftOut,
}

impl Warning {
    pub fn new(weight: Weight, text: impl Into<String>) -> Self {
        Self {
            weight,
            text: text.into(),
        }
    }
}

/// How many bytes of an answer warnings may take, as JSON.
const ROOM: usize = 500;

/// The attribute: all warnings in the order of their weight, in one line. What does not fit is left out by whole sentences, and
/// counted; a first one that is too long alone is cut. `none` if there is none.
pub fn attribute(warnings: &[Warning]) -> String {
    let mut all: Vec<&Warning> = warnings.iter().collect();
    all.sort();
    all.dedup();
    let mut line = String::new();
    for (at, warning) in all.iter().enumerate() {
        let left = all.len() - at - 1;
        let space = if at == 0 { "" } else { " " };
        let sentence = format!("{space}{}.", with_labels(&warning.text));
        let more = match left {
            0 => String::new(),
            left => more(left),
        };
        if in_json(&line) + in_json(&sentence) + in_json(&more) > ROOM {
            let left = all.len() - at;
            return match at {
                0 => cut(&sentence),
                _ => format!("{line}{}", self::more(left)),
            };
        }
        line.push_str(&sentence);
    }
    if line.is_empty() {
        "none".to_owned()
    } else {
        line
    }
}

fn more(left: usize) -> String {
    format!(" And {left} more, in the function's log.")
}

fn cut(sentence: &str) -> String {
    let ends = sentence.char_indices().map(|(end, _)| &sentence[..end]);
    let fits = |start: &&str| in_json(start) + in_json("…") <= ROOM;
    format!("{}…", ends.take_while(fits).last().unwrap_or_default())
}

/// How many bytes a text takes inside a JSON string.
fn in_json(text: &str) -> usize {
    serde_json::Value::from(text).to_string().len() - 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(weight: Weight, length: usize) -> Warning {
        Warning::new(weight, "x".repeat(length))
    }

    #[test]
    fn no_warning_is_said_to_be_none() {
        assert_eq!(attribute(&[]), "none");
    }

    #[test]
    fn the_weightier_comes_first_and_each_comes_once() {
        let all = [
            Warning::new(Weight::LeftOut, "tag left out"),
            Warning::new(Weight::Access, "nothing was read"),
            Warning::new(Weight::LeftOut, "tag left out"),
        ];
        assert_eq!(attribute(&all), "nothing was read. tag left out.");
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_line_is_cut_after_a_sentence() {
        let all = [
            warning(Weight::Access, 300),
            warning(Weight::Key, 300),
            warning(Weight::LeftOut, 9),
        ];
        let line = attribute(&all);
        assert_eq!(
            line,
            format!("{}. And 2 more, in the function's log.", "x".repeat(300))
        );
        let one = attribute(&[warning(Weight::Access, 600)]);
        assert_eq!(one, format!("{}…", "x".repeat(497)));
    }

    #[test]
    fn the_line_fits_whatever_its_characters_take_in_json() {
        for length in 0..700 {
            let all = [
                Warning::new(Weight::Access, "\"".repeat(length)),
                Warning::new(Weight::Key, "ü".repeat(40)),
                Warning::new(Weight::LeftOut, "x"),
            ];
            let line = attribute(&all);
            assert!(in_json(&line) <= ROOM, "{length}: {line}");
        }
    }
}
