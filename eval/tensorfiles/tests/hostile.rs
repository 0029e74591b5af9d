//! Files that are damaged or mean harm.

#![allow(clippy::unwrap_used)]

mod common;

use common::{PREFIX, fixture, push_text, stream, tensor, write};
use harness_tensorfiles::pytorch::{Object, read_bytes};

/// A pickle of protocol 2 for the stream's objects.
fn message(pickle: &[u8]) -> String {
    let pickle = [b"\x80\x02", pickle].concat();
    read_bytes(&stream(&pickle, &[])).unwrap_err().to_string()
}

#[track_caller]
fn fails(pickle: &[u8], with: &str) {
    let message = message(pickle);
    assert!(message.contains(with), "{message}");
}

#[test]
fn names_are_refused_by_name() {
    fails(b"cposix\nsystem\n(X\x02\0\0\0lstR.", "byte 27: the pickle names `posix.system`");
    fails(b"X\x08\0\0\0builtinsX\x04\0\0\0eval\x93.", "names `builtins.eval`");
    fails(b"ccollections\nOrderedDict\nX\x01\0\0\0xR.", "calls `OrderedDict` with arguments that are no tuple");
    fails(b"ctorch\nFloatStorage\n)R.", "storages are not made by calls");
    fails(b"ccollections\nOrderedDict\n.", "the file holds the name itself");
    // EXT1, INST, OBJ, PERSID and NEWOBJ_EX.
    for opcode in [0x82, b'i', b'o', b'P', 0x92] {
        fails(&[opcode, 0, b'.'], &format!("the opcode {opcode:#04x}"));
    }
}

#[test]
fn damage_is_said() {
    fails(b"", "ends in the middle of a pickle");
    fails(b".", "its stack is empty");
    fails(b"t.", "a mark is missing");
    fails(b"(0.", "its stack is empty");
    fails(b"h\x07.", "the memo has no entry 7");
    fails(b"}(Nu.", "a key has no value");
    fails(b"NNa.", "appends to something that is not a list");
    fails(b"X\x01\0\0\0\xff.", "not UTF-8");
    fails(b"X\xff\xff\xff\xff", "ends in the middle of a pickle");
    fails(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "ends in the middle of a pickle");
    fails(b"\x8a\x11aaaaaaaaaaaaaaaaa.", "an integer has 17 bytes");
    fails(b"\x8a\x09aaaaaaaaa.", "has over 64 bits");
    fails(b"X\x07\0\0\0storage\x85Q.", "a persistent id has too few or too many parts");
    fails(b"X\x06\0\0\0module\x85Q.", "save its `state_dict()` instead");
    fails(b"}(X\x01\0\0\0aNX\x01\0\0\0aNu.", "two entries `a`");
}

#[test]
fn what_is_no_file_of_pytorch() {
    let of = |bytes: &[u8]| read_bytes(bytes).unwrap_err().to_string();
    assert!(of(b"").contains("neither a zip archive nor a pickle"));
    assert!(of(b"<html>404</html>").contains("neither a zip archive nor a pickle"));
    assert!(of(b"\x80\x02N.").contains("was not made by torch.save"));
    assert!(of(b"PK\x03\x04").contains("the archive is damaged"));
    assert!(of(&std::fs::read(fixture("double.npz")).unwrap()).contains("a zip archive without data.pkl"));
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(of(&tar).contains("is a tar archive"));
    assert!(of(&PREFIX[..PREFIX.len() - 8]).contains("ends in the middle"));
}

#[test]
fn what_python_2_and_old_parameters_look_like() {
    // OrderedDict([["n", 5], ["w", Parameter(...)]]), with byte strings for names and a large integer as text.
    let file = write(&Object::Tensor(tensor(2)));
    let objects = &file[PREFIX.len()..];
    let pickle = [
        &b"\x80\x02ccollections\nOrderedDict\n(](](U\x01nI4294967296\ne](U\x01wctorch.nn.parameter\nParameter\n"[..],
        &objects[2..tensor_end(objects)],
        b"\x85\x81(\x88\x89NtbeetR.",
    ]
    .concat();
    let object = read_bytes(&stream(&pickle, &[("0".into(), 2, vec![0, 0, 1, 0])])).unwrap();
    assert_eq!(object.get("n"), Some(&Object::Int(1 << 32)));
    assert_eq!(object.get("w"), Some(&Object::Tensor(tensor(2))));
}

/// Length of the pickle of one tensor, up to its final REDUCE.
fn tensor_end(objects: &[u8]) -> usize {
    objects.windows(3).rposition(|window| window == b"tR.").unwrap() + 2
}

#[test]
fn sharing_does_not_multiply() {
    // Every tuple holds the one before twice: 2^40 values, were they copied.
    let mut pickle = b"N".to_vec();
    pickle.extend(b"2\x86".repeat(40));
    pickle.push(b'.');
    fails(&pickle, "expands to more than");
    // A text of 60,000 bytes, 20,000 times.
    let mut pickle = b"](".to_vec();
    push_text(&mut pickle, &"x".repeat(60_000));
    pickle.extend(b"q\0");
    pickle.extend(b"h\0".repeat(20_000));
    pickle.extend(b"e.");
    fails(&pickle, "expands to more than");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| [&b"]".repeat(depth)[..], &b"a".repeat(depth - 1), b"."].concat();
    fails(&nested(100_000), "nested deeper than 64 levels");
    read_bytes(&stream(&[b"\x80\x02", &nested(60)[..]].concat(), &[])).unwrap();
    // A list that holds itself.
    fails(b"]q\0h\0a.", "nested deeper than 64 levels");
}

#[test]
fn declared_lengths_are_not_believed() {
    let with = |count: i64, data: Vec<u8>| {
        let file = write(&Object::Tensor(tensor(2)));
        let objects = &file[PREFIX.len()..][..tensor_end(&file[PREFIX.len()..]) + 1];
        read_bytes(&stream(objects, &[("0".into(), count, data)])).map_err(|error| error.to_string())
    };
    assert!(with(2, vec![0, 0, 1, 0]).is_ok());
    assert!(with(2, vec![0; 3]).unwrap_err().contains("2 elements of 2 bytes, and 3 bytes are left"));
    assert!(with(i64::MAX, vec![0; 4]).unwrap_err().contains("4 bytes are left"));
    assert!(with(-1, vec![0; 4]).unwrap_err().contains("has -1 elements"));
    assert!(with(1, vec![0; 4]).unwrap_err().contains("holds 2 bytes, the pickle says 2 elements of 2"));
}

#[test]
fn truncated_files_never_pass() {
    for name in ["state.zip.pt", "state.legacy.pt", "views.zip.pt", "adam.legacy.pt"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for len in 0..bytes.len() {
            read_bytes(&bytes[..len]).unwrap_err();
        }
    }
}
