//! state_dir
