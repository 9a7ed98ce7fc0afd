//! A value that may be missing for a while: readers use it, one writer takes it out and puts it back.

use std::sync::{PoisonError, RwLock};

/// See the module.
#[derive(Debug)]
pub(super) struct Held<T>(RwLock<Option<T>>);

impl<T> Held<T> {
    pub(super) fn new(value: T) -> Self {
        Self(RwLock::new(Some(value)))
    }

    /// Uses the value, if it is there.
    pub(super) fn with<R>(&self, use_it: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(use_it)
    }

    /// Puts a value in when there is none.
    pub(super) fn put_if_empty<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(make()?);
        }
        Ok(())
    }

    /// As [`Held::put_if_empty`], for one who holds other locks: gives up at once while anybody uses the place.
    pub(super) fn put_if_free<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
        match self.0.try_write() {
            Ok(mut held) if held.is_none() => {
                *held = Some(make()?);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Drops the value.
    pub(super) fn take(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}
