//! What the status tells of the engine.

use crate::backend;
use crate::config::{Config, RatioChoice};
use crate::filters::{FilterSet, LoadedFilter};

/// The engine with `filter`, for the status.
pub(super) fn engine_facts(
    config: &Config,
    filter: &LoadedFilter,
    load: f64,
) -> totton_protocol::Engine {
    let engine = &config.engine;
    let name = backend::resolve(engine.backend);
    totton_protocol::Engine {
        backend: name.name.to_owned(),
        backend_reason: name.reason,
        ratio: filter.filter.header().ratio,
        block_frames: engine.block_frames as u32,
        filter: filter.file.display().to_string(),
        taps: filter.filter.taps().len() as u64,
        precision_bits: backend::precision(engine.precision).bits(),
        load,
        equaliser: filter.equaliser.clone(),
        worst_case_gain_db: Some(20.0 * filter.worst_case_gain.log10()),
        preparing: None,
        prepared_bytes: 0,
    }
}

/// The engine that a stream would have, as far as is known before host and DAC
/// have agreed on their rates.
pub(super) fn prospect(config: &Config, filters: &FilterSet) -> Option<totton_protocol::Engine> {
    let (family, loaded) = filters.iter().next()?;
    let ratio = match config.engine.ratio {
        RatioChoice::Fixed(ratio) => ratio,
        RatioChoice::Auto => filters.largest_ratio(family),
    };
    let filter = filters.plain(family, ratio).unwrap_or_else(|_| loaded.clone());
    Some(engine_facts(config, &filter, 0.0))
}
