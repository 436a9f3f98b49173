//! `[secrets]`: where the values of secret variables come from.

use crate::effective::{Entry, Shown};
use crate::read::{Item, Setting, words};
use crate::server_url::HttpUrl;

/// Where the values of secret variables come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// The host's environment, as `SPIN_VARIABLE_NAME`.
    Env,
    /// A file of names and values, relative to `hull.toml`.
    File {
        /// The file.
        path: String,
    },
    /// A Vault server.
    Vault {
        /// The server.
        url: HttpUrl,
        /// The file with the token to log in with.
        token_file: String,
        /// Where in the key-value engine the secrets of this host are.
        path: String,
    },
}

words! {
    /// The kind of provider.
    pub(super) enum Provider, "\"env\", \"file\" or \"vault\"" {
        /// The environment.
        Env = "env",
        /// A file.
        File = "file",
        /// A server.
        Vault = "vault",
    }
}

const VAULT_PATH_DEFAULT: &str = "secret/hull";

impl Setting for Secrets {
    const WANTED: &'static str = "{ provider = \"env\" }";

    fn read(item: &Item<'_>) -> Option<Self> {
        let table = item.table(Self::WANTED)?;
        let provider = table.or("provider", Provider::Env);
        let secrets = match provider {
            Provider::Env => Some(Self::Env),
            Provider::File => table.required("path").map(|path| Self::File { path }),
            Provider::Vault => {
                let (url, token_file) = (table.required("url"), table.required("token-file"));
                let path = table.or("path", VAULT_PATH_DEFAULT.to_owned());
                url.zip(token_file).map(|(url, token_file)| Self::Vault { url, token_file, path })
            }
        };
        table.finish();
        secrets
    }

    fn show(&self) -> Shown {
        Shown::Section(match self {
            Self::Env => vec![Entry::defaulted("provider", &Provider::Env, &Provider::Env)],
            Self::File { path } => {
                vec![Entry::new("provider", Provider::File.show()), Entry::new("path", path.show())]
            }
            Self::Vault { url, token_file, path } => vec![
                Entry::new("provider", Provider::Vault.show()),
                Entry::new("url", url.show()),
                Entry::new("token-file", token_file.show()),
                Entry::defaulted("path", path, &VAULT_PATH_DEFAULT.to_owned()),
            ],
        })
    }
}
