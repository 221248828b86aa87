//! What the server is told of a command: its arity and keys in any case, and what its module says of it.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

use crate::api::{self, CallReply, Command, CommandArg, Ctx, KeySpec, KeySpecBegin};
use crate::description::{Begin, Description, Keys};
use crate::syntax::Argument;
use crate::{host, rm};

/// Tells the server of a command that it has just created with these flags. `keys` are those that hold where the description has none.
///
/// # Errors
/// What of it the server refused.
///
/// # Safety
/// `ctx` is the context of `RedisModule_OnLoad`, which is running and has created `name`.
pub unsafe fn describe(
    ctx: *mut Ctx,
    name: &CStr,
    flags: &[&str],
    arity: c_int,
    keys: Option<Keys>,
    description: &Description,
) -> Result<(), String> {
    let name = name.as_ptr();
    let mut specs: Vec<KeySpec> =
        if description.keys.is_empty() { keys.iter().map(spec).collect() } else { description.keys.iter().map(spec).collect() };
    specs.push(KeySpec::END);
    let mut arena = Arena::default();
    let text = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    let info = api::CommandInfo {
        version: &raw const api::COMMAND_INFO_VERSION,
        summary: text(&description.summary),
        complexity: text(&description.complexity),
        since: text(&description.since),
        history: std::ptr::null(),
        tips: text(&description.tips),
        arity,
        key_specs: if specs.len() > 1 { specs.as_ptr() } else { std::ptr::null() },
        arguments: arena.list(&description.arguments),
    };
    // SAFETY: by this function's contract; lists end as the header has it, and the server copies all of it.
    unsafe {
        let command = rm!(GetCommand(ctx, name));
        if command.is_null() || rm!(SetCommandInfo(command, &raw const info)) != api::OK {
            return Err(format!("its arity of {arity}, its keys or its description"));
        }
        let categories = categories_of(description, flags);
        if categorise(ctx, command, &categories) == api::OK { Ok(()) } else { Err(format!("its categories {}", categories.join(" "))) }
    }
}

fn spec(keys: &Keys) -> KeySpec {
    let begin = match &keys.begin {
        Begin::At(index) => (api::KSPEC_BS_INDEX, KeySpecBegin { index: *index }),
        Begin::After(word, from) => (api::KSPEC_BS_KEYWORD, KeySpecBegin { keyword: (word.as_ptr(), *from) }),
    };
    KeySpec::range(keys.flags, begin, keys.last, keys.step)
}

/// What the server's structures point to while it reads them.
#[derive(Default)]
struct Arena {
    texts: Vec<CString>,
    lists: Vec<Vec<CommandArg>>,
}

impl Arena {
    /// The server's form of a list of arguments; null for an empty one.
    fn list(&mut self, arguments: &[Argument]) -> *const CommandArg {
        if arguments.is_empty() {
            return std::ptr::null();
        }
        let mut list: Vec<CommandArg> = arguments.iter().map(|argument| self.one(argument)).collect();
        list.push(END);
        // A vector's elements stay where they are when it is moved.
        let pointer = list.as_ptr();
        self.lists.push(list);
        pointer
    }

    fn one(&mut self, argument: &Argument) -> CommandArg {
        let optional = if argument.optional { api::CMD_ARG_OPTIONAL } else { 0 };
        let multiple = if argument.multiple { api::CMD_ARG_MULTIPLE } else { 0 };
        CommandArg {
            name: self.text(&argument.name),
            kind: argument.kind as u32,
            key_spec_index: argument.keys as c_int,
            token: argument.token.as_ref().map_or(std::ptr::null(), |token| self.text(token)),
            flags: optional | multiple,
            subargs: self.list(&argument.children),
            ..END
        }
    }

    fn text(&mut self, text: &str) -> *const c_char {
        let text = CString::new(text).unwrap_or_default();
        let pointer = text.as_ptr();
        self.texts.push(text);
        pointer
    }
}

/// The end of a list of arguments.
const END: CommandArg = CommandArg {
    name: std::ptr::null(),
    kind: 0,
    key_spec_index: -1,
    token: std::ptr::null(),
    summary: std::ptr::null(),
    since: std::ptr::null(),
    flags: 0,
    deprecated_since: std::ptr::null(),
    subargs: std::ptr::null(),
    display_text: std::ptr::null(),
};

// ── Categories of permissions ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// The categories that the server has, once they were asked for during a load.
#[derive(Default)]
pub struct Categories(RefCell<Option<Vec<String>>>);

/// The categories that a description names, and those that the server gives its own commands of these flags; none where it names none.
fn categories_of(description: &Description, flags: &[&str]) -> Vec<String> {
    let mut names = description.categories.clone();
    if names.is_empty() {
        return names;
    }
    let has = |flag: &str| flags.contains(&flag);
    let speed = if has("fast") { "fast" } else { "slow" };
    let implied = [(has("write"), "write"), (has("readonly"), "read"), (true, speed)];
    for (_, name) in implied.into_iter().filter(|(applies, _)| *applies) {
        if !names.iter().any(|given| given == name) {
            names.push(name.into());
        }
    }
    names
}

/// Puts a command into those of `names` that there are. Servers that put no module's command into any (7.0), or that add none (7.2), do
/// as they can.
///
/// # Safety
/// As [`describe`], with the command.
unsafe fn categorise(ctx: *mut Ctx, command: *mut Command, names: &[String]) -> c_int {
    // SAFETY: set by `api::init`, before anything runs.
    let Some(set) = (unsafe { api::SetCommandACLCategories }) else { return api::OK };
    let Some(host) = host::get() else { return api::ERR };
    let mut cache = host.categories.0.borrow_mut();
    // SAFETY: by this function's contract.
    let known = cache.get_or_insert_with(|| unsafe { categories(ctx) });
    let mut found: Vec<&str> = Vec::new();
    for name in names {
        let own = name.strip_prefix('@');
        let plain = own.unwrap_or(name);
        // SAFETY: by this function's contract.
        if own.is_some() && !known.iter().any(|each| each == plain) && unsafe { add(ctx, plain) } {
            known.push(plain.into());
        }
        if known.iter().any(|each| each == plain) {
            found.push(plain);
        }
    }
    if found.is_empty() {
        return api::OK;
    }
    let found = CString::new(found.join(" ")).unwrap_or_default();
    // SAFETY: by this function's contract; the server reads the text at once.
    unsafe { set(command, found.as_ptr()) }
}

/// Whether the server has a new category of this name now.
///
/// # Safety
/// As [`describe`].
unsafe fn add(ctx: *mut Ctx, name: &str) -> bool {
    // SAFETY: set by `api::init`, before anything runs.
    let Some(add) = (unsafe { api::AddACLCategory }) else { return false };
    let text = CString::new(name).unwrap_or_default();
    // SAFETY: by this function's contract; the server copies the name.
    let added = unsafe { add(ctx, text.as_ptr()) } == api::OK;
    if !added {
        host::log(ctx, c"warning", &format!("the server has no room for the category @{name}: its commands are not in it"));
    }
    added
}

/// The names of the server's categories.
///
/// # Safety
/// As [`describe`].
unsafe fn categories(ctx: *mut Ctx) -> Vec<String> {
    // SAFETY: by this function's contract; the reply is freed once, after its last use.
    unsafe {
        let reply = rm!(Call(ctx, c"ACL".as_ptr(), c"c".as_ptr(), c"CAT".as_ptr()));
        if reply.is_null() {
            return Vec::new();
        }
        let names = (0..).map(|index| rm!(CallReplyArrayElement(reply, index))).take_while(|element| !element.is_null());
        let names = names.map(|element| text(element)).collect();
        rm!(FreeCallReply(reply));
        names
    }
}

/// # Safety
/// `reply` is alive.
unsafe fn text(reply: *mut CallReply) -> String {
    let mut length = 0;
    // SAFETY: by this function's contract; the bytes live as long as the reply.
    unsafe {
        let bytes = rm!(CallReplyStringPtr(reply, &raw mut length));
        if bytes.is_null() { String::new() } else { String::from_utf8_lossy(std::slice::from_raw_parts(bytes.cast(), length)).into_owned() }
    }
}
