//! `totton-headphones`: makes the device's headphone database, and looks into one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use totton_headphones::{ATTRIBUTION, Database, Error, file, repository};

/// Headphone equalisers of the OPRA database.
#[derive(Parser)]
#[command(name = "totton-headphones", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reads a checkout of OPRA's repository and writes the device's database.
    Import {
        /// The checkout: the folder that has `database/vendors`.
        repository: PathBuf,
        /// The file to write: `headphones.jsonl.gz`.
        output: PathBuf,
    },
    /// Looks for headphones in a database.
    Search {
        /// `headphones.jsonl.gz`, or OPRA's `database_v1.jsonl`.
        database: PathBuf,
        /// Words of maker and name.
        words: Vec<String>,
    },
    /// Prints an equaliser as Equalizer APO's text.
    Show {
        /// As for `search`.
        database: PathBuf,
        /// The id that `search` prints.
        curve: String,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("totton-headphones: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Import { repository, output } => {
            let records = repository::read(&repository)?;
            file::save(&records, &output)?;
            let written = Database::load(&output)?;
            println!(
                "{}: {} headphones, {} equalisers",
                output.display(),
                written.products().len(),
                written.curves()
            );
            println!("{ATTRIBUTION}");
        }
        Command::Search { database, words } => {
            let database = Database::load(&database)?;
            let (found, total) = database.search(&words.join(" "), 20);
            for product in &found {
                println!("{} {}", product.vendor, product.name);
                for curve in &product.curves {
                    println!("    {}  {} {}", curve.id, curve.author, curve.details);
                }
            }
            println!("{} of {total}", found.len());
        }
        Command::Show { database, curve } => {
            let database = Database::load(&database)?;
            let Some((product, found)) = database.curve(&curve) else {
                eprintln!(
                    "totton-headphones: there is no equaliser {curve}; `search` prints their ids"
                );
                return Ok(ExitCode::FAILURE);
            };
            match found.text() {
                Ok(text) => {
                    print!("# {} {} by {}\n{text}", product.vendor, product.name, found.author)
                }
                Err(reason) => {
                    eprintln!("totton-headphones: {curve} cannot be said: {reason}");
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
