//! The only file with unsafe code: calls into the C library and into monoio that no safe crate offers, and into functions of ours
//! that are compiled for one kind of processor.
//!
//! Each block names the guarantee that it relies on and who upholds it.
// Names the types that it converts.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]
#![allow(unsafe_code)]

use crate::json::{
    scan::{ScanError, Scanner},
    skip,
    stops::Portable,
};
use monoio::{
    io::{OwnedReadHalf, OwnedWriteHalf},
    net::{TcpStream, UnixStream},
};
use std::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, RefCell},
    io,
    mem::ManuallyDrop,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    rc::Rc,
    sync::atomic::{AtomicBool, AtomicU8, Ordering},
    task::{RawWaker, RawWakerVTable, Waker},
    time::Duration,
};

/// Lets a scanner take what there is of a text, with the widest instructions that this processor has.
#[inline]
pub fn scan_widest(scanner: &mut Scanner, text: &[u8]) -> Result<(), ScanError> {
    match vectors() {
        // SAFETY: `run_avx512` is safe but for the features that it is compiled for, and the processor has said that it has them.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { scanner.run_avx512(text) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { scanner.run_avx2(text) },
        _ => scanner.run_portable(text),
    }
}

/// A place at or after `at` up to which a string simply goes on, in steps of 128 bytes: for long texts, where that is known quickly.
#[inline]
pub fn plain_end_widest(text: &[u8], at: usize) -> usize {
    match vectors() {
        // SAFETY: `avx2::plain_end` is safe but for the features that it is compiled for, and the processor has said that it has them.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 | Vectors::Avx2 => unsafe { crate::json::stops::avx2::plain_end(text, at) },
        _ => at,
    }
}

/// Where a string ends, as [`skip::string_end`] has it, with the widest instructions that this processor has.
#[inline]
pub fn string_end_widest(text: &[u8], from: usize) -> usize {
    match vectors() {
        // SAFETY: `string_end_avx512` is safe but for the features that it is compiled for, and the processor has said that it has them.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { skip::string_end_avx512(text, from) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { skip::string_end_avx2(text, from) },
        _ => skip::string_end(Portable, text, from),
    }
}

/// Where a container ends, as [`skip::container_end`] has it, with the widest instructions that this processor has.
#[inline]
pub fn container_end_widest(text: &[u8], from: usize) -> usize {
    match vectors() {
        // SAFETY: `container_end_avx512` is safe but for the features that it is compiled for, and the processor has said that it has
        // them.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { skip::container_end_avx512(text, from) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { skip::container_end_avx2(text, from) },
        _ => skip::container_end(Portable, text, from),
    }
}

/// `bytes` as text, if all of them are ASCII: for short names, of which `from_utf8` looks at each byte by itself.
#[inline]
pub fn ascii_text(bytes: &[u8]) -> Option<&str> {
    // SAFETY: what is ASCII is UTF-8, and all bytes have just been looked at.
    bytes.is_ascii().then(|| unsafe { std::str::from_utf8_unchecked(bytes) })
}

/// The widest vectors that there is code for and this processor has, in the order of their width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Vectors {
    Unknown,
    None,
    Avx2,
    Avx512,
}

/// What the processor has said, as far as it has been asked.
static VECTORS: AtomicU8 = AtomicU8::new(Vectors::Unknown as u8);

/// Asks the processor once: the answers to eight questions take as long to look up as a short string to scan.
#[inline]
fn vectors() -> Vectors {
    const AVX2: u8 = Vectors::Avx2 as u8;
    const AVX512: u8 = Vectors::Avx512 as u8;
    match VECTORS.load(Ordering::Relaxed) {
        AVX512 => Vectors::Avx512,
        AVX2 => Vectors::Avx2,
        _ => {
            let found = ask_for_vectors();
            VECTORS.store(found as u8, Ordering::Relaxed);
            found
        }
    }
}

/// Leaves AVX-512 alone from here on, for counts of instructions that must not depend on the machine. False, and nothing changes, if
/// the processor has no AVX2 either.
pub fn settle_for_avx2() -> bool {
    let has_avx2 = ask_for_vectors() >= Vectors::Avx2;
    if has_avx2 {
        VECTORS.store(Vectors::Avx2 as u8, Ordering::Relaxed);
    }
    has_avx2
}

#[cold]
fn ask_for_vectors() -> Vectors {
    #[cfg(target_arch = "x86_64")]
    {
        let has_avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        if has_avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            return Vectors::Avx512;
        }
        if has_avx2 {
            return Vectors::Avx2;
        }
    }
    Vectors::None
}

/// The bytes as a vector.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load_avx2(bytes: &[u8; 32]) -> std::arch::x86_64::__m256i {
    // SAFETY: all 32 bytes of a vector are behind the reference, and this load asks for no alignment.
    unsafe { std::arch::x86_64::_mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// As `load_avx2`, for a vector of 64 bytes.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load_avx512(bytes: &[u8; 64]) -> std::arch::x86_64::__m512i {
    // SAFETY: all 64 bytes of a vector are behind the reference, and this load asks for no alignment.
    unsafe { std::arch::x86_64::_mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Bit n is set if byte n is `"` or `\`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn quotes_and_backslashes(block: &[u8; 16]) -> u32 {
    use std::arch::x86_64::*;
    // SAFETY: every x86-64 processor has SSE2; all 16 bytes of a vector are behind the reference, and this load asks for no
    // alignment.
    unsafe {
        let bytes = _mm_loadu_si128(block.as_ptr().cast());
        let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        _mm_movemask_epi8(_mm_or_si128(quotes, backslashes)) as u32
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub fn quotes_and_backslashes(block: &[u8; 16]) -> u32 {
    block.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(matches!(byte, b'"' | b'\\')))
}

/// Where names and values end among the next 256 bytes of an HTTP/1.1 head: bit n of word m is about byte 64 m + n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineStops {
    /// Set if the byte may not stand in a token (RFC 9110, section 5.6.2).
    pub names: [u64; 4],
    /// Set if the byte may not stand in a field value, or is a tab, which may: nobody sends one, and one comparison less finds them.
    pub values: [u64; 4],
}

/// Looks at 256 bytes with the widest instructions that this processor has.
#[inline]
pub fn line_stops(bytes: &[u8; 256]) -> LineStops {
    match vectors() {
        // SAFETY: `line_stops_avx512` is safe but for the features that it is compiled for, and the processor has said that it has them.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx512 => unsafe { line_stops_avx512(bytes) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Vectors::Avx2 => unsafe { line_stops_avx2(bytes) },
        _ => line_stops_portable(bytes),
    }
}

/// Which bytes are in a token: bit n of entry l for the byte whose lower half is l and whose upper half is n. Only bytes below 0x80.
const TOKEN_ROWS: [u8; 16] = {
    let mut rows = [0; 16];
    let mut byte = 0u8;
    while byte < 0x80 {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        {
            rows[(byte & 15) as usize] |= 1 << (byte >> 4);
        }
        byte += 1;
    }
    rows
};

fn line_stops_portable(bytes: &[u8; 256]) -> LineStops {
    let mut stops = LineStops { names: [0; 4], values: [0; 4] };
    let (blocks, _) = bytes.as_chunks::<64>();
    for ((block, names), values) in blocks.iter().zip(&mut stops.names).zip(&mut stops.values) {
        for byte in block.iter().rev() {
            let is_token = *byte < 0x80 && TOKEN_ROWS[usize::from(byte & 15)] >> (byte >> 4) & 1 == 1;
            *names = *names << 1 | u64::from(!is_token);
            *values = *values << 1 | u64::from(*byte < b' ' || *byte == 0x7f);
        }
    }
    stops
}

// What a shuffle by the upper half of a byte gives: the bit of its row. Bytes from 0x80 on have none: they are in no token.
#[cfg(target_arch = "x86_64")]
const TOKEN_ROW_BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];

/// As `line_stops_avx2`, 64 bytes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn line_stops_avx512(bytes: &[u8; 256]) -> LineStops {
    use std::arch::x86_64::*;
    let rows = _mm512_broadcast_i32x4(load_sse2(&TOKEN_ROWS));
    let bits = _mm512_broadcast_i32x4(load_sse2(&TOKEN_ROW_BITS));
    let mut stops = LineStops { names: [0; 4], values: [0; 4] };
    let (blocks, _) = bytes.as_chunks::<64>();
    for ((block, names), values) in blocks.iter().zip(&mut stops.names).zip(&mut stops.values) {
        let bytes = load_avx512(block);
        let upper = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), _mm512_set1_epi8(15));
        *names = _mm512_testn_epi8_mask(_mm512_shuffle_epi8(rows, bytes), _mm512_shuffle_epi8(bits, upper));
        let is_control = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(b' ' as i8));
        *values = is_control | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(0x7f));
    }
    stops
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn line_stops_avx2(bytes: &[u8; 256]) -> LineStops {
    use std::arch::x86_64::*;
    let rows = _mm256_broadcastsi128_si256(load_sse2(&TOKEN_ROWS));
    let bits = _mm256_broadcastsi128_si256(load_sse2(&TOKEN_ROW_BITS));
    let look = |half: &[u8; 32]| {
        let bytes = load_avx2(half);
        let upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
        let row = _mm256_shuffle_epi8(rows, bytes);
        let is_outside =
            _mm256_cmpeq_epi8(_mm256_and_si256(row, _mm256_shuffle_epi8(bits, upper)), _mm256_setzero_si256());
        let is_control = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
        let is_delete = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f));
        let names = _mm256_movemask_epi8(is_outside) as u32;
        let values = _mm256_movemask_epi8(_mm256_or_si256(is_control, is_delete)) as u32;
        (u64::from(names), u64::from(values))
    };
    let mut stops = LineStops { names: [0; 4], values: [0; 4] };
    let (blocks, _) = bytes.as_chunks::<64>();
    for ((block, names), values) in blocks.iter().zip(&mut stops.names).zip(&mut stops.values) {
        let (halves, _) = block.as_chunks::<32>();
        let ((names_low, values_low), (names_high, values_high)) = (look(&halves[0]), look(&halves[1]));
        *names = names_low | names_high << 32;
        *values = values_low | values_high << 32;
    }
    stops
}

/// What the tests compare: each way to find [`LineStops`] that this processor has.
#[cfg(test)]
pub fn line_stops_each_way(bytes: &[u8; 256]) -> Vec<LineStops> {
    let mut ways = vec![line_stops_portable(bytes), line_stops(bytes)];
    #[cfg(target_arch = "x86_64")]
    if ask_for_vectors() >= Vectors::Avx2 {
        // SAFETY: as in `line_stops`; what has wider vectors has these too.
        ways.push(unsafe { line_stops_avx2(bytes) });
    }
    ways
}

/// The bytes as a vector.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn load_sse2(bytes: &[u8; 16]) -> std::arch::x86_64::__m128i {
    // SAFETY: every x86-64 processor has SSE2; all 16 bytes of a vector are behind the reference, and this load asks for no alignment.
    unsafe { std::arch::x86_64::_mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// What the tests compare: each way of scanning that this processor has.
#[cfg(test)]
pub fn scan_each_way(scanner: &Scanner, text: &[u8]) -> Vec<(&'static str, Result<(), ScanError>, Scanner)> {
    let mut ways = Vec::new();
    let mut add = |name, run: &dyn Fn(&mut Scanner) -> Result<(), ScanError>| {
        let mut scanner = scanner.clone();
        ways.push((name, run(&mut scanner), scanner));
    };
    add("portable", &|scanner| scanner.run_portable(text));
    #[cfg(target_arch = "x86_64")]
    {
        let found = ask_for_vectors();
        if found != Vectors::None {
            // SAFETY: as in `scan_widest`.
            add("AVX2", &|scanner| unsafe { scanner.run_avx2(text) });
        }
        if found == Vectors::Avx512 {
            // SAFETY: as in `scan_widest`.
            add("AVX-512", &|scanner| unsafe { scanner.run_avx512(text) });
        }
    }
    ways
}

/// What the tests compare: where the string and where the container ends that `from` is inside of, each way that this processor has.
#[cfg(test)]
pub fn skip_each_way(text: &[u8], from: usize) -> Vec<(usize, usize)> {
    let mut ways = vec![(skip::string_end(Portable, text, from), skip::container_end(Portable, text, from))];
    #[cfg(target_arch = "x86_64")]
    {
        let found = ask_for_vectors();
        if found != Vectors::None {
            // SAFETY: as in `string_end_widest`; what has wider vectors has these too.
            ways.push(unsafe { (skip::string_end_avx2(text, from), skip::container_end_avx2(text, from)) });
        }
        if found == Vectors::Avx512 {
            // SAFETY: as in `string_end_widest`.
            ways.push(unsafe { (skip::string_end_avx512(text, from), skip::container_end_avx512(text, from)) });
        }
    }
    ways
}

/// What the tests compare: the masks of a block, and what is plain of a text, with each kind of vectors that this processor has.
#[cfg(all(test, target_arch = "x86_64"))]
pub fn look_each_way(block: &[u8; 64], of: crate::json::stops::Ask, text: &[u8]) -> Vec<(u64, usize)> {
    use crate::json::stops::{avx2, avx512};
    let found = ask_for_vectors();
    let mut seen = Vec::new();
    if found != Vectors::None {
        // SAFETY: as in `scan_widest`.
        seen.push(unsafe { (avx2::mask(block, of), avx2::plain_end(text, 0)) });
    }
    if found == Vectors::Avx512 {
        // SAFETY: as in `scan_widest`.
        seen.push(unsafe { (avx512::mask(block, of), avx2::plain_end(text, 0)) });
    }
    seen
}

/// What the tests compare: the faults of a window, as `look_each_way`.
#[cfg(all(test, target_arch = "x86_64"))]
pub fn utf8_faults_each_way(window: &[u8; 67]) -> Vec<u64> {
    use crate::json::stops::{avx2, avx512};
    let found = ask_for_vectors();
    let mut seen = Vec::new();
    if found != Vectors::None {
        // SAFETY: as in `scan_widest`.
        seen.push(unsafe { avx2::utf8_faults(window) });
    }
    if found == Vectors::Avx512 {
        // SAFETY: as in `scan_widest`.
        seen.push(unsafe { avx512::utf8_faults(window) });
    }
    seen
}

/// Switches transparent huge pages off for this process, where the system gives them without being asked. Few and small objects
/// spread over pages of 2 MiB make an idle process 12 MiB larger; no difference in time per request could be measured.
pub fn refuse_huge_pages() {
    // SAFETY: this option takes numbers only, and changes nothing but how future page faults are served.
    let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Gives up monoio's hold of a connection, so that another shard can take it.
pub fn std_tcp(stream: TcpStream) -> std::net::TcpStream {
    // SAFETY: `into_raw_fd` hands over the only owner of an open descriptor.
    unsafe { std::net::TcpStream::from_raw_fd(stream.into_raw_fd()) }
}

/// As `std_tcp`, for unix sockets.
pub fn std_unix(stream: UnixStream) -> std::os::unix::net::UnixStream {
    // SAFETY: `into_raw_fd` hands over the only owner of an open descriptor.
    unsafe { std::os::unix::net::UnixStream::from_raw_fd(stream.into_raw_fd()) }
}

/// What a driver wakes in a task's stead: it notes that it has rung, and wakes whoever is to be woken.
///
/// Belongs to one thread, whose driver rings it, and so does without the atomics that a waker needs which may go anywhere. Its own
/// wakers end the process if they do.
#[derive(Default)]
pub struct Bell {
    has_rung: Cell<bool>,
    put_off_by: Cell<Option<PutOff>>,
    is_put_off: Cell<bool>,
    task: RefCell<Option<Waker>>,
    thread: HomeThread,
}

/// Asked when a driver rings a bell. True: the bell is not to ring now; whoever says so calls `Bell::ring` when its time has come.
pub type PutOff = fn(&Rc<Bell>) -> bool;

impl Bell {
    #[inline]
    pub fn has_rung(&self) -> bool {
        self.has_rung.get()
    }

    /// From now on only what rings counts.
    #[inline]
    pub fn silence(&self) {
        self.has_rung.set(false);
    }

    /// True if ringing wakes `task`.
    #[inline]
    pub fn is_for(&self, task: &Waker) -> bool {
        self.task.borrow().as_ref().is_some_and(|known| known.will_wake(task))
    }

    /// Ringing wakes `task` from now on, and nobody else.
    pub fn wakes(&self, task: &Waker) {
        if !self.is_for(task) {
            let before = self.task.replace(Some(task.clone()));
            drop(before);
        }
    }

    /// A waker that rings the bell.
    pub fn ringer(bell: &Rc<Bell>) -> Waker {
        let raw = RawWaker::new(Rc::into_raw(bell.clone()).cast(), &RINGER);
        // SAFETY: the functions of the table take the pointer for one count of an `Rc<Bell>`, which it is; they keep to the contract
        // of `RawWaker`, and end the process on any thread but the bell's.
        unsafe { Waker::from_raw(raw) }
    }

    /// Who is asked from now on when the driver rings. Nobody: what was put off counts as rung, though it wakes no one any more.
    #[inline]
    pub fn put_off_by(&self, whom: Option<PutOff>) {
        self.put_off_by.set(whom);
        if whom.is_none() && self.is_put_off.get() {
            self.has_rung.set(true);
        }
    }

    /// Rings, whoever might put it off.
    #[inline]
    pub fn ring(&self) {
        self.is_put_off.set(false);
        self.has_rung.set(true);
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// The driver rings.
    #[inline]
    fn driven(bell: &Rc<Bell>) {
        match bell.put_off_by.get() {
            Some(put_off) if put_off(bell) => bell.is_put_off.set(true),
            _ => bell.ring(),
        }
    }
}

static RINGER: RawWakerVTable = RawWakerVTable::new(
    |bell| {
        // SAFETY: the pointer came from `Rc::into_raw`, the waker's own count keeps the bell alive, and `at_home` has looked that
        // nobody else counts at the same time.
        unsafe {
            at_home(bell);
            Rc::increment_strong_count(bell.cast::<Bell>());
        }
        RawWaker::new(bell, &RINGER)
    },
    // SAFETY: as above; the count that the waker had is given up.
    |bell| unsafe {
        at_home(bell);
        Bell::driven(&Rc::from_raw(bell.cast()));
    },
    // SAFETY: as above; the count stays.
    |bell| unsafe {
        at_home(bell);
        Bell::driven(&ManuallyDrop::new(Rc::from_raw(bell.cast())));
    },
    // SAFETY: as above; the count that the waker had is given up.
    |bell| unsafe {
        at_home(bell);
        drop(Rc::from_raw(bell.cast::<Bell>()));
    },
);

/// Ends the process unless the bell is this thread's.
///
/// # Safety
/// `bell` must point to a live `Bell`.
#[inline]
unsafe fn at_home(bell: *const ()) {
    // SAFETY: the caller's promise. The field does not change, so it may be read on any thread.
    if unsafe { (*bell.cast::<Bell>()).thread.0 } != HomeThread::default().0 {
        std::process::abort();
    }
}

/// Which thread something was made on: an address that no two threads have in common.
struct HomeThread(*const u8);

impl Default for HomeThread {
    #[inline]
    fn default() -> HomeThread {
        thread_local!(static HERE: u8 = const { 0 });
        HomeThread(HERE.with(std::ptr::from_ref))
    }
}

/// A counter in the kernel that a driver can wait for: readable while it is not zero, and zero again once it was read.
///
/// # Errors
/// What the kernel says.
pub fn event_counter() -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Waits until a socket can be read.
pub async fn readable_tcp(half: &OwnedReadHalf<TcpStream>) -> io::Result<()> {
    // SAFETY: `readable` takes `&self` and only clones the descriptor's handle when it is first polled; the writing half's
    // operations do the same. Both halves live on this thread, and neither holds a reference into the stream between
    // two polls in a way that the other could invalidate: the stream is never moved or replaced while they exist.
    let stream = unsafe { &*half.0.get() };
    stream.readable(ASKS_THE_SOCKET).await
}

/// As `readable_tcp`, for unix sockets.
pub async fn readable_unix(half: &OwnedReadHalf<UnixStream>) -> io::Result<()> {
    // SAFETY: as above.
    let stream = unsafe { &*half.0.get() };
    stream.readable(ASKS_THE_SOCKET).await
}

/// As io_uring always does. monoio remembers what epoll once said until somebody finds that it no longer holds, and would take its word.
const ASKS_THE_SOCKET: bool = false;

/// Sets SO_LINGER to zero: closing then sends RST.
pub fn reset_on_close(half: &OwnedWriteHalf<TcpStream>) {
    // SAFETY: the cell is only read for the descriptor's number, on the thread that owns the stream.
    let descriptor = unsafe { (*half.0.get()).as_raw_fd() };
    // SAFETY: the descriptor stays open while `half` is borrowed, which outlives this function's use of it.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // Failing to set it leaves an ordinary close, which a reader of a length or of chunks notices as well.
    let _ = socket2::SockRef::from(&descriptor).set_linger(Some(Duration::ZERO));
}

/// Sends the end of the stream and leaves the receiving direction open.
pub fn end_sending_tcp(half: &OwnedWriteHalf<TcpStream>) {
    // SAFETY: the cell is only read for the descriptor's number, on the thread that owns the stream.
    end_sending(unsafe { (*half.0.get()).as_raw_fd() });
}

/// As `end_sending_tcp`, for unix sockets.
pub fn end_sending_unix(half: &OwnedWriteHalf<UnixStream>) {
    // SAFETY: as above.
    end_sending(unsafe { (*half.0.get()).as_raw_fd() });
}

fn end_sending(descriptor: RawFd) {
    // SAFETY: both callers hold the half that owns the descriptor for the whole call.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // It fails when the peer has gone, who then needs no end.
    let _ = socket2::SockRef::from(&descriptor).shutdown(std::net::Shutdown::Write);
}

/// Sends what the socket's buffer has room for, without waiting and without SIGPIPE.
pub fn send_now_tcp(half: &OwnedWriteHalf<TcpStream>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the cell is only read for the descriptor's number, on the thread that owns the stream; the half owns the
    // descriptor for the whole call.
    unsafe { send_now((*half.0.get()).as_raw_fd(), bytes) }
}

/// As `send_now_tcp`, for unix sockets.
pub fn send_now_unix(half: &OwnedWriteHalf<UnixStream>, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: as above.
    unsafe { send_now((*half.0.get()).as_raw_fd(), bytes) }
}

/// Appends what has come to `buffer`, without waiting: at most `bytes_max`, and no more than it has room for.
pub fn receive_now_tcp(half: &OwnedReadHalf<TcpStream>, buffer: &mut Vec<u8>, bytes_max: usize) -> io::Result<usize> {
    // SAFETY: as above.
    unsafe { receive_now((*half.0.get()).as_raw_fd(), buffer, bytes_max) }
}

/// As `receive_now_tcp`, for unix sockets.
pub fn receive_now_unix(half: &OwnedReadHalf<UnixStream>, buffer: &mut Vec<u8>, bytes_max: usize) -> io::Result<usize> {
    // SAFETY: as above.
    unsafe { receive_now((*half.0.get()).as_raw_fd(), buffer, bytes_max) }
}

/// By the bare system call: the C library's function is a cancellation point, which costs two locked instructions and is of no use
/// to what does not wait.
///
/// # Safety
/// The descriptor must be an open socket for the whole call.
unsafe fn send_now(descriptor: RawFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let no_address = std::ptr::null::<libc::sockaddr>();
    // SAFETY: the kernel reads `bytes.len()` bytes from behind the slice's pointer, and nothing of an address that is null. The
    // descriptor is the caller's business.
    let sent =
        unsafe { libc::syscall(libc::SYS_sendto, descriptor, bytes.as_ptr(), bytes.len(), flags, no_address, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// As `send_now`.
///
/// # Safety
/// As there.
unsafe fn receive_now(descriptor: RawFd, buffer: &mut Vec<u8>, bytes_max: usize) -> io::Result<usize> {
    let room = buffer.spare_capacity_mut();
    let bytes = room.len().min(bytes_max);
    let no_address = std::ptr::null_mut::<libc::sockaddr>();
    let no_length = std::ptr::null_mut::<libc::socklen_t>();
    // SAFETY: the kernel writes at most `bytes` bytes, for which there is room behind the pointer, and nothing to addresses that are
    // null. The descriptor is the caller's business.
    let received = unsafe {
        libc::syscall(
            libc::SYS_recvfrom,
            descriptor,
            room.as_mut_ptr(),
            bytes,
            libc::MSG_DONTWAIT,
            no_address,
            no_length,
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: the kernel has just written that many bytes behind those that the buffer held, within its capacity.
    unsafe { buffer.set_len(buffer.len() + received) };
    Ok(received)
}

/// A descriptor that can be read when the time that it is set to is over.
pub fn timer() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers.
    let descriptor = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made the descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sets a timer to a time from now on; what it was set to before, and whether that is over, is forgotten.
pub fn set_timer(timer: &impl AsRawFd, ms: u64) -> io::Result<()> {
    let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Zero would mean never.
    let nanoseconds = (ms % 1_000 * 1_000_000).max(1);
    let due = libc::timespec { tv_sec: (ms / 1_000) as libc::time_t, tv_nsec: nanoseconds as libc::c_long };
    let set = libc::itimerspec { it_interval: never, it_value: due };
    // SAFETY: the kernel reads `set` during the call and writes nothing where it is given no address.
    match unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &set, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Limit on open descriptors of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// What the kernel enforces now.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

/// The limit on open descriptors.
pub fn descriptor_limit() -> io::Result<DescriptorLimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid, writable rlimit for the duration of the call, and the call writes nothing else.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => Ok(DescriptorLimit { soft: limit.rlim_cur, hard: limit.rlim_max }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Raises the limit on open descriptors as far as the process may, and returns what holds afterwards.
///
/// The usual soft limit of 1,024 exists for programs that use select(2); a gateway reaches it with its first crowd.
pub fn raise_descriptor_limit() -> io::Result<DescriptorLimit> {
    let before = descriptor_limit()?;
    if before.soft < before.hard {
        let wanted = libc::rlimit { rlim_cur: before.hard, rlim_max: before.hard };
        // SAFETY: `wanted` is a valid rlimit that the call only reads.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    descriptor_limit()
}

/// Takes over the sockets that a service manager passed, with their names. They are close-on-exec.
///
/// Empty when none were passed to this process. Each descriptor has one owner, so only the first call gets them; every
/// later one finds none.
pub fn take_passed_sockets() -> io::Result<Vec<(OwnedFd, String)>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let passed = sd_notify::listen_fds_with_names()?;
    // SAFETY: LISTEN_PID named this process, so by sd_listen_fds(3) these descriptors are open (setting close-on-exec on
    // them just succeeded) and are ours; nothing else of this program touches numbers it did not open, and `TAKEN`
    // keeps this function from making a second owner.
    Ok(passed.map(|(fd, name)| (unsafe { OwnedFd::from_raw_fd(fd) }, name)).collect())
}

/// mimalloc, asked for an alignment only where it is more than every block has.
///
/// The crate `mimalloc` always asks. Where a size class is not a power of two and has no block at hand, that makes mimalloc allocate more
/// than is needed and look for the place in it: five times the instructions of a plain allocation, and for the same objects
/// again and again.
#[derive(Debug)]
pub struct Mimalloc;

/// What mimalloc aligns blocks to that are at least as large (`MI_MAX_ALIGN_SIZE` in its types.h).
const NATURAL_ALIGN: usize = 16;

impl Mimalloc {
    #[inline]
    const fn is_natural(size: usize, align: usize) -> bool {
        align <= NATURAL_ALIGN && align <= size
    }
}

// SAFETY: mimalloc's functions uphold the contract of `GlobalAlloc`: they return null or a block of that size, aligned as asked for or,
// for those without an alignment, to `NATURAL_ALIGN` where the size is at least that, and to the largest power of two in the size below
// it; a block of any of them may be given to any other. None of them unwinds.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe {
            if Self::is_natural(size, align) {
                libmimalloc_sys::mi_malloc(size).cast()
            } else {
                libmimalloc_sys::mi_malloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as above.
        unsafe {
            if Self::is_natural(size, align) {
                libmimalloc_sys::mi_zalloc(size).cast()
            } else {
                libmimalloc_sys::mi_zalloc_aligned(size, align).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the caller gives back a block of this allocator.
        unsafe { libmimalloc_sys::mi_free(block.cast()) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block is one of this allocator; for the rest as above.
        unsafe {
            if Self::is_natural(size, layout.align()) {
                libmimalloc_sys::mi_realloc(block.cast(), size).cast()
            } else {
                libmimalloc_sys::mi_realloc_aligned(block.cast(), size, layout.align()).cast()
            }
        }
    }
}

/// The clock that never goes back, in microseconds since some moment of the machine's. `Instant` reads the same one and takes twice as
/// long over it.
#[inline]
pub fn monotonic_us() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid, writable timespec, and this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

/// The processor's counter of time. Of use where `keeps_time_by_ticks`.
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has this counter, and Linux lets programs read it.
    #[cfg(target_arch = "x86_64")]
    return unsafe { std::arch::x86_64::_rdtsc() };
    #[cfg(not(target_arch = "x86_64"))]
    0
}

/// True where the kernel keeps time by that counter: it has found then that it goes at one rate, on all processors the same. Reads a
/// file.
pub fn keeps_time_by_ticks() -> bool {
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    cfg!(target_arch = "x86_64") && source.is_ok_and(|source| source.trim_end() == "tsc")
}

/// Gives free memory of the calling thread's heap back to the kernel. The allocator does so by itself only while it is being used,
/// so what a burst left would stay with an idle process.
pub fn release_free_memory() {
    // SAFETY: mi_collect takes a flag and works on the allocator's own state. Where another allocator serves the program (tests),
    // that state is empty.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// The CPU for a shard: the n-th of those that this process may use, so that a cpuset or `taskset` is respected. `None` when
/// there are fewer: such a shard is not pinned.
pub fn cpu_for_shard(index: usize) -> Option<usize> {
    // SAFETY: all-zero is a valid, empty cpu_set_t.
    let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `allowed` is valid and writable, and the size passed is its size; 0 means the calling thread.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut allowed) } != 0 {
        return None;
    }
    // SAFETY: CPU_ISSET reads one bit of a set that is large enough for CPU_SETSIZE of them.
    (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &allowed) }).nth(index)
}

#[cfg(test)]
mod tests;
