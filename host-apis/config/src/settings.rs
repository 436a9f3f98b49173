//! What a component may read: the text of each of its variables, and where it is made of the app's, how.

use std::collections::BTreeMap;

use hull_manifest::{App, Component, Template, VariableName};
use hull_rollout::Decided;

/// The variables of a component. Not to be written anywhere: secrets are among the values.
#[derive(Clone, Default)]
pub struct Settings {
    own: BTreeMap<String, Setting>,
    /// The values of the app's variables that they are made of.
    of_app: BTreeMap<VariableName, String>,
}

#[derive(Clone)]
struct Setting {
    text: String,
    /// None where it is made of nothing.
    template: Option<Template>,
}

impl Settings {
    /// Those of a component. What has no value is empty: a manifest that leaves it open is refused before.
    pub fn of(app: &App, component: &Component) -> Self {
        let mut settings = Self::default();
        for (name, template) in &component.variables {
            let text = app.fill(template).unwrap_or_default();
            for variable in template.variables() {
                let value = app.variables.get(variable).and_then(|variable| variable.value.clone());
                settings.of_app.insert(variable.clone(), value.unwrap_or_default());
            }
            let template = template.variables().next().is_some().then(|| template.clone());
            settings.own.insert(name.to_string(), Setting { text, template });
        }
        settings
    }

    /// The text of one, with what was decided for whoever asks.
    pub(crate) fn get(&self, name: &str, decided: Option<&Decided>) -> Option<String> {
        self.own.get(name).map(|setting| self.text(setting, decided))
    }

    /// All of them.
    pub(crate) fn all(&self, decided: Option<&Decided>) -> Vec<(String, String)> {
        self.own.iter().map(|(name, setting)| (name.clone(), self.text(setting, decided))).collect()
    }

    fn text(&self, setting: &Setting, decided: Option<&Decided>) -> String {
        let (Some(decided), Some(template)) = (decided, &setting.template) else { return setting.text.clone() };
        let value =
            |name: &VariableName| decided.value(name.as_str()).or_else(|| Some(self.of_app.get(name)?.as_str()));
        template.fill(value).unwrap_or_else(|| setting.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hull_manifest::{App, Reading};
    use hull_rollout::{Flags, Rule, When};

    use super::Settings;
    use crate::Nobody;

    #[test]
    fn texts_are_made_of_what_was_decided() {
        let text = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[variables]\nhost = { default = \"a\" }\n\
                    port = { default = \"80\" }\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"one\"\n[component.one]\n\
                    source = \"a.wasm\"\nvariables = { url = \"http://{{ host }}:{{ port }}/\", mark = \"host\" }\n";
        let app = App::parse(text, &Reading::alone("spin.toml")).expect("a manifest");
        let settings = Settings::of(&app, &app.components[0]);
        let mut flags = Flags::default();
        let rule = |value: &str| {
            let (value, by, at) = (value.to_owned(), String::new(), String::new());
            Rule { when: When::Everybody, value, by, at }
        };
        flags.set("host", None, 1, rule("b")).expect("it fits");
        flags.set("mark", None, 1, rule("no variable of the app")).expect("it fits");
        let decided = Arc::new(flags).decide(&Nobody);
        let get = |name, decided| settings.get(name, decided);
        assert_eq!(get("url", None).as_deref(), Some("http://a:80/"));
        assert_eq!(get("url", Some(&decided)).as_deref(), Some("http://b:80/"));
        assert_eq!(get("mark", Some(&decided)).as_deref(), Some("host"));
        assert_eq!(get("host", Some(&decided)), None, "what the component does not name cannot be read");
        assert_eq!(settings.all(Some(&decided)).len(), 2);
    }
}
