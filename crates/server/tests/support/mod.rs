//! A running hitwire, a caller, and a receiver.

mod browser;
mod client;
mod described;
mod form;
mod half_sent;
mod hit;
mod hitwire;
mod receiver;

pub(crate) use browser::{Browser, PASSWORD, between, input, set_up_path, text};
pub(crate) use client::{Answer, Caller, ask};
pub(crate) use form::PageForm;
pub(crate) use half_sent::HalfSent;
pub(crate) use hit::{hit, hits};
pub(crate) use hitwire::{ADMIN, Hitwire, INGEST, until};
pub(crate) use receiver::{Received, Receiver};
