//! How many things are done at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long others may take to end, once one slot is free. Then several begin together, for which there is one search.
const GATHER_TIME: Duration = Duration::from_millis(100);

/// A number of things that may be done at the same time. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    /// How many begin together, if others end soon.
    half: u32,
}

/// The right to do one of them, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot(#[expect(dead_code, reason = "only its drop matters")] OwnedSemaphorePermit);

impl Slots {
    /// All are free.
    pub(crate) fn new(number: u16) -> Self {
        Self { free: Arc::new(Semaphore::new(number.into())), half: (number / 2).max(1).into() }
    }

    /// Waits until half of the slots are free, or for a tenth of a second once one is: then those that are. Returns
    /// them, at least one.
    pub(crate) async fn take(&self) -> Vec<Slot> {
        // The semaphore is never closed, so an error cannot come.
        let mut taken: Vec<_> = self.free.clone().acquire_owned().await.into_iter().collect();
        if self.half > 1
            && let Ok(Ok(mut more)) =
                timeout(GATHER_TIME, self.free.clone().acquire_many_owned(self.half - 1)).await
        {
            while let Some(one) = more.split(1) {
                taken.push(one);
            }
        }
        while let Ok(one) = self.free.clone().try_acquire_owned() {
            taken.push(one);
        }
        taken.into_iter().map(Slot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_of_them_are_taken_together_or_those_that_are_free_soon() {
        let slots = Slots::new(8);
        let mut taken = slots.take().await;
        assert_eq!(taken.len(), 8);
        // One is free, and no other soon.
        taken.pop();
        let one = slots.take().await;
        assert_eq!(one.len(), 1);
        // One is free, and others soon.
        drop(one);
        let taking = tokio::spawn({
            let slots = slots.clone();
            async move { slots.take().await.len() }
        });
        tokio::time::sleep(GATHER_TIME / 2).await;
        taken.truncate(2);
        assert_eq!(taking.await.unwrap(), 6);
    }

    #[tokio::test]
    async fn one_slot_is_enough() {
        assert_eq!(Slots::new(1).take().await.len(), 1);
    }
}
