//! `hull up`: one app from its file, in the foreground.

use crate::manifest_files::{self, Loaded};
use crate::options::UpOptions;
use crate::serving::{self, AppToServe, Serving, Watching};
use crate::{admin, fetching};

/// Run the app until it is told to stop.
pub(crate) fn run(options: UpOptions) -> anyhow::Result<()> {
    let UpOptions { file, build, watch, serve } = options;
    let mut watching = watch.then(|| Watching::begin(&file, serve.config.as_deref()));
    if build {
        crate::build::build_all(&file)?;
        watching.iter_mut().for_each(Watching::on_built);
    }
    let began = hull_clock::now();
    let Loaded { mut app, host, base } = manifest_files::load(&file, serve.config.as_deref())?;
    admin::block_on(async { fetching::bring_here(&mut app).await.map(drop) })?;
    serving::run(Ok(Serving::app(serve, host, AppToServe { app, base, watching }, began)))
}
