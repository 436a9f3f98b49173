//! Texts with `{{ variable }}` in them, in Spin's syntax.

use std::fmt;
use std::str::FromStr;

use crate::name::VariableName;
use crate::problem::Invalid;
use crate::read::TextSetting;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// This very text.
    Literal(String),
    /// The value of an application variable.
    Variable(VariableName),
}

/// A text in which application variables are to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// The pieces, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The variables that are named.
    pub fn variables(&self) -> impl Iterator<Item = &VariableName> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name),
            Part::Literal(_) => None,
        })
    }

    /// The text, if `value` knows every variable in it.
    pub fn fill<'v>(&self, value: impl Fn(&VariableName) -> Option<&'v str>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(value(name)?),
            }
        }
        Some(text)
    }
}

impl FromStr for Template {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                return Err(Invalid::new("{{ is not closed", "write {{ name }}"));
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            parts.push(Part::Variable(name.trim().parse()?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(literal) => f.write_str(literal),
            Part::Variable(name) => write!(f, "{{{{ {name} }}}}"),
        })
    }
}

impl TextSetting for Template {
    const WANTED: &'static str = "a text, perhaps with {{ variable }} in it";
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn variables_are_filled_in() {
        let template: Template = "http://{{ host }}:{{port}}/".parse().expect("a template");
        let value = |name: &crate::VariableName| match name.as_str() {
            "host" => Some("example.com"),
            "port" => Some("80"),
            _ => None,
        };
        assert_eq!(template.fill(value).as_deref(), Some("http://example.com:80/"));
        assert_eq!(template.fill(|_| None), None);
        assert_eq!(template.to_string(), "http://{{ host }}:{{ port }}/");
        let plain: Template = r#"{"a":{"b":1}}"#.parse().expect("braces that open nothing are text");
        assert_eq!(plain.fill(|_| None).as_deref(), Some(r#"{"a":{"b":1}}"#));
    }

    #[test]
    fn broken_templates_are_refused() {
        for bad in ["{{", "{{ a", "{{ A }}", "{{ }}", "{{ a-b }}", "{{ {{ a }} }}"] {
            assert!(bad.parse::<Template>().is_err(), "{bad}");
        }
    }
}
