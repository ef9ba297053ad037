//! Blocks that were read from the disk, ready for further readers: lanes that lag read the same ones, and share their
//! renderings. Bounded in bytes.

use super::block::{BlockError, Opened};
use hitwire_event::Record;
use hitwire_receiver::Rendered as _;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Blocks that the cache expects to hold: its table begins with as many places.
const BLOCKS_EXPECTED: usize = 64;

/// Which block: the generation of its slice, and its first position.
type Key = (u64, u64);

/// The events of a block.
#[derive(Debug)]
pub(in crate::sqlite) struct DecodedBlock {
    first: u64,
    /// By place; none for events of a kind that is not known.
    records: Vec<Option<Arc<Record>>>,
    weight: usize,
}

impl DecodedBlock {
    /// The events of an opened block.
    pub(in crate::sqlite) fn new(first: u64, opened: &Opened) -> Result<Self, BlockError> {
        let records: Vec<_> = opened.events()?.iter().map(super::block::Placed::record).collect();
        let weight = records.iter().flatten().map(|record| record.weight_rendered()).sum();
        Ok(DecodedBlock { first, records, weight })
    }

    /// The events from one position to another, both inclusive; both must lie in the block.
    pub(in crate::sqlite) fn between(&self, first: u64, last: u64) -> impl Iterator<Item = &Arc<Record>> {
        let from = first.saturating_sub(self.first) as usize;
        let to = ((last + 1).saturating_sub(self.first) as usize).min(self.records.len());
        self.records.get(from..to).unwrap_or_default().iter().flatten()
    }
}

#[derive(Clone, Debug)]
struct ByWeight;

impl Weighter<Key, Arc<DecodedBlock>> for ByWeight {
    fn weight(&self, _: &Key, block: &Arc<DecodedBlock>) -> u64 {
        block.weight.max(1) as u64
    }
}

/// The cache. Blocks never change, so what it holds is never wrong.
#[derive(Debug)]
pub(in crate::sqlite) struct BlockCache(Cache<Key, Arc<DecodedBlock>, ByWeight>);

impl BlockCache {
    /// A cache of at most so many bytes.
    pub(in crate::sqlite) fn new(bytes_max: u64) -> Self {
        BlockCache(Cache::with_weighter(BLOCKS_EXPECTED, bytes_max, ByWeight))
    }

    /// A block, from memory or made by `read`. Two readers that miss the same block at once may both read it.
    pub(in crate::sqlite) fn get_or_read<E>(
        &self,
        generation: u64,
        first: u64,
        read: impl FnOnce() -> Result<DecodedBlock, E>,
    ) -> Result<Arc<DecodedBlock>, E> {
        let key = (generation, first);
        if let Some(block) = self.0.get(&key) {
            return Ok(block);
        }
        let block = Arc::new(read()?);
        self.0.insert(key, Arc::clone(&block));
        Ok(block)
    }
}
