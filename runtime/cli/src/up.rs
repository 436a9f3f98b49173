//! `hull up`: one app from its file, in the foreground.

use crate::manifest_files::{self, Loaded};
use crate::options::UpOptions;
use crate::serving::{self, Serving};

/// Run the app until it is told to stop.
pub(crate) fn run(options: UpOptions) -> anyhow::Result<()> {
    let UpOptions { file, build, serve } = options;
    if build {
        crate::build::build_all(&file)?;
    }
    let began = hull_clock::now();
    let Loaded { app, host, base } = manifest_files::load(&file, serve.config.as_deref())?;
    serving::run(Ok(Serving::app(serve, host, app, base, began)))
}
