//! The integration as the API's contract writes it: bodies into what a caller asks for, integrations into answers.
//!
//! Here stands how things are *written*; whether they are allowed stands in [`rules`](super::rules).

mod answer;
mod asked;
mod filter;
mod tested;

pub(super) use answer::{Answer, Creation};
pub(super) use asked::{Asked, AskedClient, AskedHeader, AskedTarget, AskedTick, OwnSetting, Signing};
pub(super) use filter::{AskedPreview, PreviewAnswer, read as filter_of};
pub(super) use tested::{
    AskedTest, RenderedAnswer, ResponseAnswer, TestAnswer, TestsAnswer, TimingsAnswer, Values, by_name,
};
