//! Calls between the server and modules: commands in, imports out, and what modules do without a command.

pub mod apply;
pub mod by_command;
pub mod deed;
pub mod dispatch;
pub mod frame;
pub mod imports;
pub mod moved;
pub mod own;
pub mod refuse;
pub mod register;
pub mod server_call;
pub mod triggers;
