//! Finds the functions of a Rust file and how many lines each has. Not a parser: it blanks out what is not code
//! (comments, strings, characters) and then counts brackets, which is enough and costs no dependency.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Its name.
    pub(super) name: String,
    /// Where `fn` stands, from 1.
    pub(super) first_line: usize,
    /// From `fn` to the closing brace, both counted.
    pub(super) lines: usize,
}

/// All functions, also those within others.
pub(super) fn find(text: &str) -> Vec<Function> {
    let code = blank(text);
    let starts = keyword_positions(&code);
    starts.into_iter().filter_map(|start| measure(&code, start)).collect()
}

fn keyword_positions(code: &[u8]) -> Vec<usize> {
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let alone = |at: usize| !word(at.checked_sub(1).and_then(|before| code.get(before))) && !word(code.get(at + 2));
    (0..code.len()).filter(|&at| code[at..].starts_with(b"fn") && alone(at)).collect()
}

/// `None` for a pointer type, a declaration without a body, and a name that a macro fills in.
fn measure(code: &[u8], start: usize) -> Option<Function> {
    let after = start + 2;
    let name_start = after + code[after..].iter().position(|byte| !byte.is_ascii_whitespace())?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let name: Vec<u8> = code[name_start..].iter().copied().take_while(is_name).collect();
    if name.is_empty() {
        return None;
    }
    let open = body_start(code, name_start)?;
    let close = matching_brace(code, open)?;
    let feeds = |part: &[u8]| part.split(|&byte| byte == b'\n').count() - 1;
    let (first_line, lines) = (feeds(&code[..start]) + 1, feeds(&code[start..close]) + 1);
    Some(Function { name: String::from_utf8(name).ok()?, first_line, lines })
}

/// The first `{` outside of the signature's own brackets.
fn body_start(code: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}

fn matching_brace(code: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The text with everything that is not code replaced by spaces; line feeds stay.
fn blank(text: &str) -> Vec<u8> {
    let source = text.as_bytes();
    let mut code = source.to_vec();
    let mut at = 0;
    while at < source.len() {
        let end = skip(source, at);
        if end > at {
            let covered = code.get_mut(at..end.min(source.len())).into_iter().flatten();
            covered.filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            at = end;
        } else {
            at += 1;
        }
    }
    code
}

/// Where the comment, string or character that starts at `at` ends; `at` itself if none does.
fn skip(source: &[u8], at: usize) -> usize {
    let rest = &source[at..];
    let inside_word = at > 0 && (source[at - 1].is_ascii_alphanumeric() || source[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + quoted(rest),
        [b'r', ..] if !inside_word => at + raw_string(rest, 1),
        [b'b' | b'c', b'r', ..] if !inside_word => at + raw_string(rest, 2),
        [b'\'', ..] => at + character(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// 0 if this is a word that starts with `r`, or a raw identifier.
fn raw_string(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return 0;
    }
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = prefix + hashes + 1;
    let end = rest[body..].windows(closing.len()).position(|window| window == closing);
    end.map_or(rest.len(), |end| body + end + closing.len())
}

/// 0 for a lifetime or a label.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        // The escaped byte may itself be a quote.
        let end = rest.iter().skip(3).position(|&byte| byte == b'\'');
        return end.map_or(0, |end| end + 4);
    }
    let width = match rest.get(1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::find;

    /// What is found, as `name@line:lines`.
    fn found(text: &str) -> Vec<String> {
        find(text).iter().map(|f| format!("{}@{}:{}", f.name, f.first_line, f.lines)).collect()
    }

    #[test]
    fn a_function_is_counted_from_fn_to_brace() {
        assert_eq!(
            found("fn one() {}\n\npub async fn three(a: [u8; 3]) -> u8\nwhere\n{\n}\n"),
            ["one@1:1", "three@3:4"]
        );
    }

    #[test]
    fn functions_within_functions_count_for_both() {
        assert_eq!(found("fn outer() {\n  fn inner() {\n  }\n}"), ["outer@1:4", "inner@2:2"]);
    }

    #[test]
    fn what_has_no_body_is_no_function() {
        assert!(found("type F = fn(u8) -> u8; trait T { fn f(&self); }\nstruct S { fnord: u8, f: fn() }").is_empty());
        assert!(found("macro_rules! m { ($name:ident) => { fn $name() {} } }").is_empty());
    }

    #[test]
    fn braces_that_are_not_code_do_not_count() {
        let traps = [
            "// }",
            "/* } /* } */ } */",
            "\"}\\\"}\";",
            "r\"}\\\";",
            "r#\"}\"}\"#;",
            "br##\"}\"#}\"##;",
            "b\"}\";",
            "'}';",
            "'\\'';",
            "'\\u{7d}';",
            "b'}';",
            "'label: loop { break 'label }",
            "let x: &'static str = \"}\";",
            "'é'; '}';",
            "let r#fn = r; let br = 1;",
        ];
        for trap in traps {
            assert_eq!(found(&format!("fn f() {{\n{trap}\n}}")), ["f@1:3"], "{trap}");
        }
    }

    #[test]
    fn text_that_is_cut_off_is_survived() {
        for cut in ["fn", "fn f", "fn f(", "fn f() {", "\"", "r#\"", "/*", "'", "'\\", "b'", "fn f() { '\\"] {
            assert!(found(cut).is_empty(), "{cut}");
        }
    }
}
