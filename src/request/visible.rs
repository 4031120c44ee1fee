//! Text that comes from others, as data.

/// Makes control, format and direction characters of a text visible, as `\u{202e}`. Names, tags, objects' keys and AWS's
/// messages can hold what somebody else typed, and must not be able to break or turn round a line.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // The standard library escapes what has no shape of its own, and quotes, which are harmless here.
        let harmless = matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1;
        if harmless {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_characters_without_a_shape_are_escaped() {
        assert_eq!(visible("Größe \"ü\" 人 – ok"), "Größe \"ü\" 人 – ok");
        assert_eq!(visible("a\nb\u{7f}"), "a\\u{a}b\\u{7f}");
        assert_eq!(
            visible("evil\u{202e}txt\u{200b}"),
            "evil\\u{202e}txt\\u{200b}"
        );
        assert_eq!(visible("cafe\u{301}"), "cafe\\u{301}");
    }
}
