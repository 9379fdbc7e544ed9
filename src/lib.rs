//! answerd: prompts to AI answer engines as durable jobs, answers back as data.

pub mod clock;
pub mod rate;
