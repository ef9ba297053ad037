//! What an index must do, over a real store.

mod charts;
mod life;
mod search;
mod support;
