//! Crashes, failing disks and processes at the same time, with the real binary: what is on disk afterwards is the old
//! state or the new one, nothing is lost, and `resume` or `undo` ends well.

mod files;
mod matrix;
mod order;
pub(crate) mod shim;
mod together;
mod world;
