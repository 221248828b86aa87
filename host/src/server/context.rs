//! The context of a call from the server, and what can be asked of the server within it.

use std::ffi::{CStr, c_int, c_long};
use std::marker::PhantomData;
use std::time::Duration;

use super::api::{self, Ctx};
use super::reply::Answer;
use super::strings::{ServerString, Strings};
use super::text;
use crate::rm;

/// The context of a call from the server that lasts for `'a`. Every function of the server that a method
/// calls copies the texts and bytes that it is handed.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    raw: *mut Ctx,
    call: PhantomData<&'a Ctx>,
}

impl<'a> Context<'a> {
    /// # Safety
    /// `raw` is the context of a call from the server that lasts for `'a`, made on this thread.
    #[inline]
    pub unsafe fn new(raw: *mut Ctx) -> Context<'a> {
        Context { raw, call: PhantomData }
    }

    #[inline]
    pub fn raw(self) -> *mut Ctx {
        self.raw
    }

    /// Whether the server is Valkey. In a load alone.
    pub fn is_valkey(self) -> bool {
        // SAFETY: the context of a load.
        unsafe { api::is_valkey(self.raw) }
    }

    /// The same, to be kept where no lifetime reaches.
    ///
    /// # Safety
    /// It is forgotten before `'a` ends.
    #[inline]
    pub unsafe fn forever(self) -> Context<'static> {
        Context { raw: self.raw, call: PhantomData }
    }

    /// `api::CTX_FLAGS_*`.
    pub fn flags(self) -> c_int {
        // SAFETY: by the type's contract, here and in every method below.
        unsafe { rm!(GetContextFlags(self.raw)) }
    }
}

/// A context of the host's own, for what no call of the server has lent one.
pub struct Detached(*mut Ctx);

impl Detached {
    pub fn new(ctx: Context<'_>) -> Detached {
        // SAFETY: freed by the drop below.
        Detached(unsafe { rm!(GetDetachedThreadSafeContext(ctx.raw)) })
    }

    /// The context. On the server's thread alone.
    pub fn context(&self) -> Context<'_> {
        Context { raw: self.0, call: PhantomData }
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { rm!(FreeThreadSafeContext(self.0)) };
    }
}

/// What answers the running command.
impl Context<'_> {
    #[inline]
    pub fn reply_status(self, text: &CStr) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithSimpleString(self.raw, text.as_ptr())) };
    }

    #[inline]
    pub fn reply_error(self, text: &CStr) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithError(self.raw, text.as_ptr())) };
    }

    #[inline]
    pub fn reply_bytes(self, bytes: &[u8]) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithStringBuffer(self.raw, bytes.as_ptr().cast(), bytes.len())) };
    }

    #[inline]
    pub fn reply_null(self) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithNull(self.raw)) };
    }

    #[inline]
    pub fn reply_integer(self, value: i64) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithLongLong(self.raw, value)) };
    }

    /// A number: as RESP3 has it, and before that the shortest text that reads back.
    pub fn reply_double(self, value: f64) {
        if self.flags() & api::CTX_FLAGS_RESP3 == 0 {
            return self.reply_bytes(text::double(value).as_bytes());
        }
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithDouble(self.raw, value)) };
    }

    #[inline]
    pub fn reply_bool(self, value: bool) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithBool(self.raw, value.into())) };
    }

    /// The digits of an integer of any size.
    pub fn reply_big_number(self, digits: &[u8]) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithBigNumber(self.raw, digits.as_ptr().cast(), digits.len())) };
    }

    /// As [`Context::reply_array`], of a set of so many elements.
    pub fn reply_set(self, length: i64) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithSet(self.raw, length as c_long)) };
    }

    /// The head of an array; -1: its length is told by [`Context::set_array_length`].
    #[inline]
    pub fn reply_array(self, length: i64) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithArray(self.raw, length as c_long)) };
    }

    #[inline]
    pub fn set_array_length(self, length: i64) {
        // SAFETY: as above.
        unsafe { rm!(ReplySetArrayLength(self.raw, length as c_long)) };
    }

    /// As [`Context::reply_array`], of a map of so many pairs.
    #[inline]
    pub fn reply_map(self, length: i64) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplyWithMap(self.raw, length as c_long)) };
    }

    #[inline]
    pub fn set_map_length(self, length: i64) {
        // SAFETY: as above.
        unsafe { rm!(ReplySetMapLength(self.raw, length as c_long)) };
    }

    /// Whether the server calls only to hear where the keys are: no reply, and nothing runs.
    #[inline]
    pub fn is_asked_for_keys(self) -> bool {
        // SAFETY: as above.
        unsafe { rm!(IsKeysPositionRequest(self.raw)) != 0 }
    }

    /// Tells the place of a key, while `is_asked_for_keys`, with the bits of a key specification.
    pub fn tell_key(self, place: c_int, flags: u64) {
        // SAFETY: as above; the server takes any place, and the bits are its own.
        unsafe { rm!(KeyAtPosWithFlags(self.raw, place, flags as c_int)) };
    }

    pub fn wrong_arity(self) {
        // SAFETY: as above.
        unsafe { _ = rm!(WrongArity(self.raw)) };
    }

    /// An answer of the server's once more; the answer is never freed.
    #[inline]
    pub(super) fn reply_answer(self, answer: std::ptr::NonNull<api::CallReply>) {
        // SAFETY: as above, and the answer is alive.
        unsafe { _ = rm!(ReplyWithCallReply(self.raw, answer.as_ptr())) };
    }
}

/// What tells others of a write.
impl Context<'_> {
    /// The running command goes to replicas and the append-only file as it came.
    #[inline]
    pub fn replicate_verbatim(self) {
        // SAFETY: as above.
        unsafe { _ = rm!(ReplicateVerbatim(self.raw)) };
    }

    /// This command goes to them.
    pub fn replicate(self, name: &CStr, arguments: &Strings<'_>) {
        // SAFETY: as above; format "v" takes an array and its length.
        unsafe { _ = rm!(Replicate(self.raw, name.as_ptr(), c"v".as_ptr(), arguments.as_ptr(), arguments.len())) };
    }

    /// Counts a change, as [`Context::replicate`] does, and replicates nothing. The server looks the command
    /// up all the same.
    pub fn replicate_nothing(self, name: &CStr) {
        // SAFETY: as above; format "AR": neither to the append-only file nor to replicas, without arguments.
        unsafe { _ = rm!(Replicate(self.raw, name.as_ptr(), c"AR".as_ptr())) };
    }

    /// Whether the server asks modules for what they hold in slots that it moves by itself (Redis 8.4).
    pub fn sends_slots() -> bool {
        // SAFETY: set by `api::init`, before anything runs.
        unsafe { api::ClusterPropagateForSlotMigration }.is_some()
    }

    /// This command goes to the node that the server moves slots to, in the child that asks for it.
    ///
    /// # Errors
    /// The number of the system's error that tells why not.
    pub fn send_with_slots(self, name: &CStr, arguments: &Strings<'_>) -> Result<(), c_int> {
        // SAFETY: as above.
        unsafe {
            let Some(send) = api::ClusterPropagateForSlotMigration else { return Err(libc::ENOTSUP) };
            *libc::__errno_location() = 0;
            match send(self.raw, name.as_ptr(), c"v".as_ptr(), arguments.as_ptr(), arguments.len()) {
                api::OK => Ok(()),
                _ => Err(*libc::__errno_location()),
            }
        }
    }

    /// WATCH and client-side caching hear of it.
    #[inline]
    pub fn signal_modified(self, key: ServerString<'_>) {
        // SAFETY: as above.
        unsafe { _ = rm!(SignalModifiedKey(self.raw, key.raw())) };
    }

    /// Subscribers of the channel get the message: those of this server and of its cluster, and those of
    /// replicas if it goes `onwards`.
    pub fn publish(self, channel: ServerString<'_>, message: ServerString<'_>, onwards: bool) {
        // SAFETY: as above; format "Ass": two strings, and not to the append-only file.
        unsafe {
            rm!(PublishMessage(self.raw, channel.raw(), message.raw()));
            if onwards && self.flags() & api::CTX_FLAGS_CLUSTER == 0 {
                rm!(Replicate(self.raw, c"PUBLISH".as_ptr(), c"Ass".as_ptr(), channel.raw(), message.raw()));
            }
        }
    }

    /// Subscribers hear of it. `kind`: the server's class of events.
    #[inline]
    pub fn notify(self, kind: c_int, event: &CStr, key: ServerString<'_>) {
        // SAFETY: as above.
        unsafe { _ = rm!(NotifyKeyspaceEvent(self.raw, kind, event.as_ptr(), key.raw())) };
    }
}

/// What is asked of the server.
impl Context<'_> {
    /// Runs a command as the server itself; nothing of it is replicated.
    ///
    /// # Errors
    /// The number of the system's error that tells why nothing ran.
    pub fn call(self, name: &CStr, arguments: &Strings<'_>) -> Result<Answer, c_int> {
        self.call_as(c"v", name, arguments)
    }

    /// As `call`, and the effects of the command are propagated.
    ///
    /// # Errors
    /// As `call`.
    pub fn call_replicating(self, name: &CStr, arguments: &Strings<'_>) -> Result<Answer, c_int> {
        self.call_as(c"!v", name, arguments)
    }

    /// Runs a command as the user behind the running one, by the rules of scripts and of their memory; its
    /// effects are propagated. Its answer is that of RESP3, or the error reply that tells why nothing ran.
    /// `only_reads`: one that writes is refused.
    ///
    /// # Errors
    /// As `call`.
    pub fn call_for_user(self, name: &CStr, arguments: &Strings<'_>, only_reads: bool) -> Result<Answer, c_int> {
        self.call_as(if only_reads { c"CSMEW3!v" } else { c"CSME3!v" }, name, arguments)
    }

    /// The places of the keys among the words of a command; none of what the server does not know.
    pub fn places_of_keys(self, words: &Strings<'_>) -> Vec<usize> {
        let mut count = 0;
        // SAFETY: as above; the array has as many places as counted, and is freed once.
        unsafe {
            let places = rm!(GetCommandKeysWithFlags(
                self.raw,
                words.as_ptr().cast_mut(),
                words.len() as c_int,
                &raw mut count,
                std::ptr::null_mut()
            ));
            if places.is_null() {
                return Vec::new();
            }
            let all = std::slice::from_raw_parts(places, count.unsigned_abs() as usize);
            let all = all.iter().filter_map(|place| usize::try_from(*place).ok()).collect();
            rm!(Free(places.cast()));
            all
        }
    }

    pub(super) fn call_as(self, format: &CStr, name: &CStr, arguments: &Strings<'_>) -> Result<Answer, c_int> {
        // SAFETY: as above. Format "v" takes an array and its length. Without `E`, null and errno tell why
        // nothing ran.
        unsafe {
            *libc::__errno_location() = 0;
            let reply = rm!(Call(self.raw, name.as_ptr(), format.as_ptr(), arguments.as_ptr(), arguments.len()));
            Answer::new(reply).ok_or_else(|| *libc::__errno_location())
        }
    }

    /// Runs a command of these words as the server itself; `None` where the server does not.
    pub fn ask(self, name: &CStr, words: &[&CStr]) -> Option<Answer> {
        self.call(name, &Strings::of_texts(words)).ok()
    }

    /// The value of one of the server's settings.
    pub fn setting(self, name: &CStr) -> Option<String> {
        self.ask(c"CONFIG", &[c"GET", name])?.text_at(1)
    }

    /// The database that is selected.
    pub fn database(self) -> c_int {
        // SAFETY: as above.
        unsafe { rm!(GetSelectedDb(self.raw)) }
    }

    /// Runs `action` with the database `database` selected.
    pub fn in_database(self, database: c_int, action: impl FnOnce()) {
        let before = self.database();
        // SAFETY: as above.
        unsafe { _ = rm!(SelectDb(self.raw, database)) };
        action();
        // SAFETY: as above.
        unsafe { _ = rm!(SelectDb(self.raw, before)) };
    }

    /// Has the server call `callback` at each event of a key that changes something; false where it does not.
    pub fn subscribe_to_keys(self, callback: api::KeyEventFunc) -> bool {
        // SAFETY: as above.
        unsafe { rm!(SubscribeToKeyspaceEvents(self.raw, api::NOTIFY_CHANGES, callback)) == api::OK }
    }

    /// Has `callback` called when what runs now has ended; false where it cannot (before 7.2, on a replica).
    pub fn start_job(self, callback: api::TimerFunc) -> bool {
        // SAFETY: as above; set by `api::init`, before anything runs.
        unsafe { api::AddPostNotificationJob.is_some_and(|add| add(self.raw, callback, std::ptr::null_mut(), None) == api::OK) }
    }

    /// Has `callback` called once, after this time; answers the timer. No time: before replies are sent.
    pub fn start_timer(self, after: Duration, callback: api::TimerFunc) -> u64 {
        // The server looks at its earliest timer alone, up to a millisecond late: this is that one.
        let period_ms = if after.is_zero() { -10 } else { after.as_millis() as i64 };
        // SAFETY: as above.
        unsafe { rm!(CreateTimer(self.raw, period_ms, callback, std::ptr::null_mut())) }
    }

    pub fn stop_timer(self, timer: u64) {
        // SAFETY: as above.
        unsafe { _ = rm!(StopTimer(self.raw, timer, std::ptr::null_mut())) };
    }
}

/// `api::CTX_FLAGS_*` of the server, where no call of it runs.
pub fn server_flags() -> c_int {
    // SAFETY: the server allows a null context here.
    unsafe { rm!(GetContextFlags(std::ptr::null_mut())) }
}

/// The server's version: major, minor and patch in a byte each.
pub fn version() -> c_int {
    // SAFETY: takes no argument.
    unsafe { rm!(GetServerVersion()) }
}

/// Whether the server holds back what replicates: it ends when a module does it all the same.
pub fn avoids_replica_traffic() -> bool {
    // SAFETY: takes no argument.
    unsafe { rm!(AvoidReplicaTraffic()) != 0 }
}

/// The part of `maxmemory` that is used.
pub fn used_memory_ratio() -> f32 {
    // SAFETY: takes no argument.
    unsafe { rm!(GetUsedMemoryRatio()) }
}
