//! The commands that sign components.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct KeygenOptions {
    /// Where the private key goes; what is there already is left as it is
    #[arg(value_name = "KEY.pem")]
    pub(crate) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignOptions {
    /// The components; the signature of FILE.wasm goes into FILE.wasm.sig
    #[arg(value_name = "FILE.wasm", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The private key, an Ed25519 key in PEM
    #[arg(long, value_name = "KEY.pem")]
    pub(crate) key: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
