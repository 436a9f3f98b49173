//! What a registry asks for before it answers: `WWW-Authenticate`, as RFC 9110 has it. Pure.

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token, which is given out at the realm.
    Bearer { realm: String, service: Option<String> },
    /// A user and a password.
    Basic,
}

impl Challenge {
    /// The first challenge of a header that is known.
    pub(super) fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => Some(Self::Basic),
            "bearer" => {
                let parameters = parameters(rest);
                let find = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                Some(Self::Bearer { realm: find("realm")?, service: find("service") })
            }
            _ => None,
        }
    }
}

/// `key="value", key=value`; what is written otherwise ends them.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches([' ', '\t', ',']).to_ascii_lowercase();
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let Some(value) = unquoted(quoted) else { break };
            value
        } else {
            let (value, after) = after.split_once(',').unwrap_or((after, ""));
            (value.trim().to_owned(), after)
        };
        parameters.push((key, value));
        rest = after;
    }
    parameters
}

/// A text up to the quote that ends it, and what is behind that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    #[test]
    fn what_registries_ask_for_is_understood() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        assert_eq!(Challenge::read(hub), bearer("https://auth.docker.io/token", Some("registry.docker.io")));
        assert_eq!(
            Challenge::read(r#"bearer service=x , realm="https://a/\"b\"""#),
            bearer("https://a/\"b\"", Some("x"))
        );
        assert_eq!(Challenge::read(r#"BASIC realm="basic-realm""#), Some(Challenge::Basic));
        assert_eq!(Challenge::read("Basic"), Some(Challenge::Basic));
    }

    #[test]
    fn what_is_not_understood_is_no_challenge() {
        for wrong in ["", "Bearer", "Bearer service=\"x\"", "Bearer realm=\"open", "Digest realm=\"x\"", "Negotiate"] {
            assert_eq!(Challenge::read(wrong), None, "{wrong}");
        }
    }
}
