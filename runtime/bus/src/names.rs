//! The names that streams and consumers have outside: in file names and on a NATS server. Neither may contain what
//! subjects and patterns are made of, so it is escaped, reversibly, so that two patterns never share a name.

use sha2::{Digest, Sha256};

/// Beyond this a name is shortened: file systems take 255 bytes, and a suffix has to fit.
const NAME_LENGTH_MAX: usize = 200;

/// The durable name of a component's consumer for a pattern, fit for files and for NATS.
pub fn consumer_name(component: &str, pattern: &str) -> String {
    escape(&format!("{component}/{pattern}"))
}

/// The subject under which an app's event is stored.
pub fn stream_subject(app: &str, subject: &str) -> String {
    format!("hull.{app}.{subject}")
}

/// Letters, digits and `-` stay; every other byte becomes `_` and two hexadecimal digits. What gets too long ends in
/// a digest of the whole.
pub(crate) fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let escaped = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("_{byte:02x}") };
    let mut name: String = text.bytes().map(escaped).collect();
    if name.len() > NAME_LENGTH_MAX {
        let digest = Sha256::digest(text.as_bytes());
        name.truncate(NAME_LENGTH_MAX - 33);
        name.push('_');
        name.extend(digest.iter().take(16).map(|byte| format!("{byte:02x}")));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{NAME_LENGTH_MAX, consumer_name, escape};

    #[test]
    fn names_are_fit_for_files_and_servers_and_never_shared() {
        let names = [
            consumer_name("orders", "payments.*"),
            consumer_name("orders", "payments.>"),
            consumer_name("orders", "payments_2e"),
            consumer_name("orders", "payments."),
            consumer_name("..", "../x"),
            consumer_name("a", &"long.".repeat(100)),
            consumer_name("a", &"long.".repeat(101)),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(name.len() <= NAME_LENGTH_MAX, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{name}");
            assert!(!names[..index].contains(name), "{name}");
        }
        assert_eq!(escape("shop"), "shop");
    }
}
