//! The PHP extension: the functions that chat code calls, each a few commands to Redis.
//!
//! # Layout
//!
//! | module | holds |
//! | --- | --- |
//! | `functions` | the functions that PHP sees, by topic, and their registration |
//! | `declaration` | how a function is declared: the macro and what follows from it |
//! | `parameters` | the kinds of parameters: what is parsed, and how it is checked |
//! | `by_user` | arrays by user id |
//! | `returns` | the types that functions return |
//! | `delivery` | the enum that `sendMessage` returns |
//! | `outcome` | the enum that exceptions have: what is known of the call's effect |
//! | `calls` | what each function sends to Redis and makes of the answer |
//! | `fetched_rows` | the rows that this request fetched, so that a push of one is recognised |
//! | `exchange` | exchanges with Redis: a command, and a script and the wait for its answer |
//! | `link` | the connection: socket, TLS, RESP, what is kept between calls, the retry |
//! | `error` | why a call failed |
//! | `fault_injection` | promises that the fault tests break, in a build of their own |
//! | `exception` | the exception classes, and how an error becomes an exception or a warning |
//! | `settings` | the INI directives |
//! | `info` | the section of `phpinfo()` |
//! | `zend` | the C functions of the engine that ext-php-rs does not wrap |

#![allow(missing_docs, reason = "the only public item is the entry point that the macro writes, without any")]

mod by_user;
mod calls;
mod declaration;
mod delivery;
mod error;
mod exception;
mod exchange;
mod fault_injection;
mod fetched_rows;
mod functions;
mod info;
mod link;
mod outcome;
mod parameters;
mod returns;
mod settings;
mod users;
mod zend;

use ext_php_rs::prelude::*;

/// The entry point of the extension.
#[php_module]
#[php(startup = "startup")]
pub fn get_module(module: ModuleBuilder<'_>) -> ModuleBuilder<'_> {
    let module = functions::builders().into_iter().fold(module, ModuleBuilder::function);
    module
        .enumeration::<delivery::Delivery>()
        .enumeration::<outcome::Outcome>()
        .name("chatpush")
        .post_deactivate_function(request_ended)
        .info_function(info::print)
}

fn startup(_kind: i32, module: i32) -> i32 {
    settings::register(module);
    if exception::register_classes().is_err() {
        return zend::FAILURE;
    }
    functions::complete_types();
    settings::warn_at_start();
    zend::SUCCESS
}

/// Called when no code of the application runs any more and the request's memory is still there.
extern "C" fn request_ended() -> i32 {
    fetched_rows::forget();
    zend::SUCCESS
}
