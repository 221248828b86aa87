//! What the server is told of a command: its arity and keys in any case, and what its module says of it.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

use super::description::{Begin, Description, Keys};
use super::syntax::Argument;
use crate::server::api::{self, CommandArg, KeySpec, KeySpecBegin};
use crate::server::context::Context;
use crate::server::log;

/// Tells the server of a command that it has just created with these flags. `keys` are those that hold where
/// the description has none.
///
/// # Errors
/// What of it the server refused.
pub fn describe(
    ctx: Context<'_>,
    name: &CStr,
    flags: &[&str],
    arity: c_int,
    keys: Option<Keys>,
    description: &Description,
    known: &Categories,
) -> Result<(), String> {
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
    // SAFETY: lists end as the header has it, and all that is pointed to lives until this function returns.
    if !unsafe { ctx.set_command_info(name, &info) } {
        return Err(format!("its arity of {arity}, its keys or its description"));
    }
    let categories = categories_of(description, flags);
    if categorise(ctx, name, &categories, known) { Ok(()) } else { Err(format!("its categories {}", categories.join(" "))) }
}

fn spec(keys: &Keys) -> KeySpec {
    let (begin, doubt) = match &keys.begin {
        Begin::At(index) => ((api::KSPEC_BS_INDEX, KeySpecBegin { index: *index }), 0),
        // A search takes a value that reads like the word for it: `describe::find` does not.
        Begin::After(word, from) => ((api::KSPEC_BS_KEYWORD, KeySpecBegin { keyword: (word.as_ptr(), *from) }), api::CMD_KEY_INCOMPLETE),
    };
    KeySpec::range(keys.flags | doubt, begin, keys.last, keys.step)
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

// ── Categories of permissions ──────────────────────────────────────────────────────────────────────────────

/// The categories that the server has, once they were asked for during a load.
#[derive(Default)]
pub struct Categories(RefCell<Option<Vec<String>>>);

/// The categories that a description names, and those that the server gives its own commands of these flags;
/// none where it names none.
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

/// Puts a command into those of `names` that there are; false where the server refuses. Servers that put no
/// module's command into any (7.0), or that add none (7.2), do as they can.
fn categorise(ctx: Context<'_>, command: &CStr, names: &[String], known: &Categories) -> bool {
    let mut cache = known.0.borrow_mut();
    let known = cache.get_or_insert_with(|| ctx.ask(c"ACL", &[c"CAT"]).map(|answer| answer.texts()).unwrap_or_default());
    let mut found: Vec<&str> = Vec::new();
    for name in names {
        let own = name.strip_prefix('@');
        let plain = own.unwrap_or(name);
        if own.is_some() && !known.iter().any(|each| each == plain) && add(ctx, plain) {
            known.push(plain.into());
        }
        if known.iter().any(|each| each == plain) {
            found.push(plain);
        }
    }
    found.is_empty() || ctx.set_categories(command, &found)
}

/// Whether the server has a new category of this name now.
fn add(ctx: Context<'_>, name: &str) -> bool {
    let added = ctx.add_category(name);
    if added == Some(false) {
        log::warning(Some(ctx), &format!("the server has no room for the category @{name}: its commands are not in it"));
    }
    added == Some(true)
}
