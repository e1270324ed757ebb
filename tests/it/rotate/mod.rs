//! Rotations with the real binary, real homes and a strict local AWS.

mod command;
mod dev_app;
mod django;
mod follow;
mod postgres;
mod random;
mod rig;
mod site;
mod slots;
mod xero;
