//! The pipe against places of every kind, killed, failed and losing answers at every call.

mod faults;
mod matrix;
mod minting;
mod places;
mod rules;
mod together;
