//! Files of PyTorch and of statistics: any bytes give a value or an error.

#![no_main]

use harness_tensorfiles::npz::Statistics;
use harness_tensorfiles::pytorch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(object) = pytorch::read_bytes(bytes) {
        let _ = object.into_state_dict();
    }
    let _ = Statistics::read_bytes(bytes);
});
