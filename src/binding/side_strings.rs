//! Long strings on their way up.

use napi::{Env, JsString, Result};
use napi_derive::napi;

use super::data_plane::DataPlane;
use crate::socketio::LongString;

#[napi]
impl DataPlane {
    /// Takes the strings that the records of the last `take` refer to, in order.
    ///
    /// # Errors
    /// When V8 can't make a string of that size.
    #[napi(catch_unwind)]
    pub fn take_strings<'env>(&self, env: &'env Env) -> Result<Vec<JsString<'env>>> {
        let mut batch = self.batch.borrow_mut();
        batch
            .strings
            .drain()
            .map(|string| match string {
                LongString::Latin1(bytes) => env.create_string_latin1(bytes),
                LongString::Utf16(units) => env.create_string_utf16(units),
            })
            .collect()
    }
}
