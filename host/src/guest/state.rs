//! What the store of a group carries beside its linear memory.

use smallvec::SmallVec;
use wasmtime::{AsContextMut, Global, Memory, Result, Store, TypedFunc};

use super::call::Call;
use super::limits::Limits;
use super::region::Region;
use crate::describe::declaration::Declaration;

/// A module's function that runs a command, given the number of arguments and the address of their frame.
#[derive(Clone)]
pub enum Handler {
    /// `(argc, argv) → ()`: replies by calls alone.
    Replies(TypedFunc<(i32, i32), ()>),
    /// `(argc, argv) → i64`: its result may be the reply, as `calls/dispatch.rs` has it.
    Answers(TypedFunc<(i32, i32), u64>),
}

impl Handler {
    /// Runs it; whatever it answers is nobody's.
    pub fn run(&self, store: &mut Store<State>, given: (i32, i32)) -> Result<()> {
        match self {
            Handler::Replies(handler) => handler.call(store.as_context_mut(), given),
            Handler::Answers(handler) => handler.call(store.as_context_mut(), given).map(|_| ()),
        }
    }
}

/// What a module has registered that the host runs by itself, in the order in which its file declares it.
#[derive(Default)]
pub struct Triggers {
    pub every: Vec<Handler>,
    pub on: Vec<Handler>,
}

/// Where a module says, by what is not 0, that it is in the middle of a commit.
#[derive(Clone, Copy)]
pub enum Committing {
    /// In a mutable i32.
    Global(Global),
    /// In the i32 at this address of the memory, which holds it.
    Word(u32),
}

/// Where each stack pointer of a group is.
pub type Positions = SmallVec<[i32; 4]>;

/// What the store of a group carries.
#[derive(Default)]
pub struct State {
    pub memory: Option<Memory>,
    /// Bytes on their way in: a command's arguments …
    pub arguments: Region,
    /// … and what import calls and reads from a file answer.
    pub results: Region,
    pub call: Call,
    /// Of each member that has one.
    pub committing: Vec<Committing>,
    /// The stack pointer of each member that has one, a mutable i32, and where they were when the running
    /// call came in.
    pub stack_pointers: Vec<Global>,
    pub stacks: Positions,
    /// In [`Phase::LoadAgain`]: the commands that were registered, with their handlers in this store.
    pub handlers: Vec<(Declaration, Handler)>,
    /// While a module is loaded: what it has registered that the host runs by itself.
    pub triggers: Triggers,
    /// In [`Phase::Load`]: the first of what a module registers that was refused, and why.
    pub refused: Option<String>,
    /// What a module has logged last while it loads data: why it refuses them.
    pub complaint: Option<String>,
    pub limits: Limits,
}

impl AsMut<Limits> for State {
    fn as_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }
}
