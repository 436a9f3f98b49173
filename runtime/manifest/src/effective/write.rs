//! The effective configuration as TOML. The writer is our own because it says at every value whether it is the
//! default, and leaves what is not set in sight.

use std::fmt;

use super::{Entry, Shown};

/// As TOML: the whole document for a table, the value otherwise.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(entries) | Self::Section(entries) => write_section(f, "", entries),
            other => f.write_str(&other.inline()),
        }
    }
}

impl Shown {
    /// The value on one line.
    pub(crate) fn inline(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(values) => format!("[{}]", joined(values.iter().map(Self::inline))),
            Self::Table(entries) | Self::Section(entries) => inline_table(entries),
            Self::Sections(tables) => format!("[{}]", joined(tables.iter().map(|table| inline_table(table)))),
            Self::Absent | Self::Implied(_) => "not set".to_owned(),
        }
    }
}

fn inline_table(entries: &[Entry]) -> String {
    let set = entries.iter().filter(|entry| !matches!(entry.value, Shown::Absent | Shown::Implied(_)));
    let pairs = set.map(|entry| format!("{} = {}", key_text(&entry.key), entry.value.inline()));
    match joined(pairs) {
        pairs if pairs.is_empty() => "{}".to_owned(),
        pairs => format!("{{ {pairs} }}"),
    }
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}

fn write_section(f: &mut fmt::Formatter<'_>, path: &str, entries: &[Entry]) -> fmt::Result {
    for entry in entries {
        write_value(f, "", entry)?;
    }
    for Entry { key, value, .. } in entries {
        let path = if path.is_empty() { key_text(key) } else { format!("{path}.{}", key_text(key)) };
        match value {
            Shown::Section(entries) => {
                let has_values = entries.iter().any(|entry| !is_section(&entry.value));
                if has_values {
                    write!(f, "\n[{path}]\n")?;
                }
                write_section(f, &path, entries)?;
            }
            Shown::Sections(tables) => {
                for entries in tables {
                    write!(f, "\n[[{path}]]\n")?;
                    write_section(f, &path, entries)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_section(value: &Shown) -> bool {
    matches!(value, Shown::Section(_) | Shown::Sections(_))
}

fn write_value(f: &mut fmt::Formatter<'_>, prefix: &str, Entry { key, value, default }: &Entry) -> fmt::Result {
    let key = format!("{prefix}{}", key_text(key));
    let mark = if *default { " # default" } else { "" };
    match value {
        Shown::Section(_) | Shown::Sections(_) => Ok(()),
        Shown::Table(entries) if !entries.is_empty() => {
            entries.iter().try_for_each(|entry| write_value(f, &format!("{key}."), entry))
        }
        Shown::Absent => writeln!(f, "# {key} is not set{mark}"),
        Shown::Implied(entries) => {
            writeln!(f, "# {key} is not set; it has its own:{mark}")?;
            entries.iter().try_for_each(|entry| write_value(f, "#   ", entry))
        }
        value => writeln!(f, "{key} = {}{mark}", value.inline()),
    }
}

fn key_text(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { quoted(key) }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\u{0}'..='\u{1f}' | '\u{7f}' => {
                let code = u32::from(character);
                quoted.extend(['\\', 'u', '0', '0', hex_digit(code >> 4), hex_digit(code & 15)]);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn hex_digit(digit: u32) -> char {
    char::from_digit(digit, 16).unwrap_or('0')
}
