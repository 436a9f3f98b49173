//! The shop of the project as an app to test, and those who deal with it: its customers, the line to its provider,
//! and the end of the day.

pub mod customer;
pub mod provider_line;
pub mod reckoning;

use crate::app::App;
use crate::files;

/// The shop with some of its manifest replaced; each of these texts must be there once.
pub fn altered(changes: &[(&str, &str)]) -> anyhow::Result<App> {
    extended(changes, "")
}

/// The same with more at the end of its manifest.
pub fn extended(changes: &[(&str, &str)], more: &str) -> anyhow::Result<App> {
    let mut text = std::fs::read_to_string(files::project().join("spin.toml"))?;
    for (from, to) in changes {
        anyhow::ensure!(text.matches(from).count() == 1, "{from:?} is not once in the manifest of the shop");
        text = text.replace(from, to);
    }
    text.push_str(more);
    with_components(&text)
}

/// The app of this manifest, with the folder of the shop's components beside it.
pub fn with_components(manifest: &str) -> anyhow::Result<App> {
    let app = App::of_text(manifest)?;
    std::os::unix::fs::symlink(files::project().join("components"), app.folder().join("components"))?;
    Ok(app)
}
