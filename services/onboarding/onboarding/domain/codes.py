"""Every fault onboarding can find in what a user sends, with its status and how to mend it.

The name of a member is the code users see. Where a code speaks of "a price" or "a date" it serves
the entry and the exit alike, and the fault's `field` says which one is meant.
"""

from enum import unique

from common.errors import ErrorCode, Spec


@unique
class Code(ErrorCode):
    """The codes of onboarding. `code.name` is what the client sees, `code.spec` explains it."""

    # The file as a whole
    ERR_CSV_001 = Spec(
        400, "The file is larger than 10 MiB.", "Leave out columns and rows that are not positions."
    )
    ERR_CSV_002 = Spec(
        400,
        "The file's name does not end in .csv.",
        "Export the sheet as CSV and upload that file.",
    )
    ERR_CSV_003 = Spec(
        400, "The file holds no positions.", "Add a row for each position below the header row."
    )
    ERR_CSV_004 = Spec(
        400,
        "A required column is missing from the header row.",
        "Start from the template: its header row names every column.",
    )
    ERR_CSV_005 = Spec(
        400,
        "The file has no header row.",
        "The first line that is not a comment must name the columns, as in the template.",
    )
    ERR_CSV_006 = Spec(
        400,
        "The file, or a line of it, cannot be read as CSV text.",
        "Save the sheet as 'CSV UTF-8' (comma delimited) and upload it again.",
    )
    ERR_CSV_007 = Spec(
        400,
        "A row has a value that stands under no column.",
        "Remove the surplus value, or put a value that contains a comma in double quotes.",
    )
    ERR_CSV_008 = Spec(
        400,
        "A column's name is unknown but resembles one of ours.",
        "Rename the column as in the template, or remove it.",
    )
    ERR_CSV_009 = Spec(
        400, "A column appears more than once in the header row.", "Keep one column of each name."
    )
    ERR_CSV_010 = Spec(
        400,
        "The file holds more than 10,000 positions or 100,000 lines.",
        "Merge lots of the same symbol, or split the book into several portfolios.",
    )
    ERR_CSV_011 = Spec(
        400,
        "A line that starts with '#' is a comment, but this one looks like a position.",
        "Remove the '#' to import the position, or delete the line to leave it out.",
    )

    # Symbol
    ERR_POS_001 = Spec(
        400,
        "The symbol is missing.",
        "Give the ticker, the OCC symbol of an option, or a name of your own for a private asset.",
    )
    ERR_POS_002 = Spec(
        400,
        "The symbol is longer than 32 characters.",
        "Shorten the symbol to at most 32 characters.",
    )
    ERR_POS_003 = Spec(
        400,
        "The symbol has characters a symbol cannot have.",
        "Use letters, digits, '.', '_' and '-', with at least one letter or digit.",
    )

    # Quantity
    ERR_POS_004 = Spec(
        400,
        "The quantity is missing.",
        "Give the number of shares or contracts, negative for a short position.",
    )
    ERR_POS_005 = Spec(
        400,
        "The quantity is not a number.",
        "Write digits with a dot for decimals, such as 1250.5: no thousands separators, no units.",
    )
    ERR_POS_006 = Spec(
        400,
        "The quantity is zero.",
        "Give a positive quantity for a long position and a negative one for a short position.",
    )
    ERR_POS_007 = Spec(
        400, "The quantity has more than 6 decimals.", "Round the quantity to 6 decimals."
    )

    # Prices and dates
    ERR_POS_008 = Spec(
        400,
        "The entry price is missing.",
        "Give the price paid or received per share, or per share of the option's underlying.",
    )
    ERR_POS_009 = Spec(
        400,
        "A price is not a number.",
        "Write digits with a dot for decimals, such as 158.25: "
        "no currency sign and no thousands separators.",
    )
    ERR_POS_010 = Spec(
        400,
        "A price is not positive.",
        "Prices are positive; the sign of the quantity says whether a position is long or short.",
    )
    ERR_POS_011 = Spec(400, "A price has more than 2 decimals.", "Round the price to 2 decimals.")
    ERR_POS_012 = Spec(
        400,
        "The entry date is missing.",
        "Give the day the position was opened, such as 2024-01-15.",
    )
    ERR_POS_013 = Spec(
        400,
        "A date is not a calendar day written YYYY-MM-DD.",
        "Write year, month and day, such as 2024-01-15.",
    )
    ERR_POS_014 = Spec(
        400, "A date is in the future.", "Give today's date in New York or an earlier one."
    )
    ERR_POS_015 = Spec(400, "The entry date is more than 100 years ago.", "Check the year.")

    # Class and subtype
    ERR_POS_016 = Spec(
        400,
        "The investment class is unknown.",
        "Use PUBLIC, OPTIONS or PRIVATE, or leave it blank.",
    )
    ERR_POS_017 = Spec(
        400,
        "The investment subtype does not belong to the class.",
        "Use a subtype of the class, or leave it blank.",
    )
    ERR_POS_018 = Spec(
        400, "The exit date is before the entry date.", "Check both dates; the same day is allowed."
    )

    # Options
    ERR_POS_019 = Spec(
        400,
        "The option has no underlying symbol.",
        "Give the underlying's ticker, or use the contract's OCC symbol.",
    )
    ERR_POS_020 = Spec(
        400,
        "The option's strike price is missing or not a positive number of at most 3 decimals.",
        "Give the strike per share of the underlying, such as 450 or 452.50.",
    )
    ERR_POS_021 = Spec(
        400,
        "The option's expiration date is missing or not a calendar day written YYYY-MM-DD.",
        "Give the contract's last day, such as 2029-12-21.",
    )
    ERR_POS_022 = Spec(
        400, "The option's type is missing or neither CALL nor PUT.", "Give CALL or PUT."
    )

    # The row as a whole, and rows against each other
    ERR_POS_023 = Spec(
        400,
        "The row repeats a lot given further up.",
        "Merge the two rows: add the quantities and average the price.",
    )
    ERR_POS_024 = Spec(
        400,
        "The symbol has the form of an OCC option symbol but names no contract we can hold.",
        "Check the symbol: root, expiration yymmdd, C or P, strike times 1000 in 8 digits.",
    )
    ERR_POS_025 = Spec(
        400,
        "Two columns of the row contradict each other.",
        "Correct one of the two, or leave blank what the other already says.",
    )
    ERR_POS_026 = Spec(
        400,
        "The position is open in an option that has expired.",
        "Give the exit date and the exit price per share, 0 if it expired worthless.",
    )
    ERR_POS_027 = Spec(
        400,
        "The option expired before the position was opened.",
        "Check the expiration date and the entry date.",
    )
    ERR_POS_028 = Spec(
        400,
        "The position has an exit date but no exit price.",
        "Give the exit price per share, or clear the exit date if the position is open.",
    )
    ERR_POS_029 = Spec(
        400,
        "The position has an exit price but no exit date.",
        "Give the exit date, or clear the exit price if the position is open.",
    )
    ERR_POS_030 = Spec(
        400,
        "The number, or the amount it makes, is too large.",
        "Numbers must be smaller than 100 trillion (1e14), and what was paid or received for a "
        "position (quantity times price, times 100 for options) at most 1 trillion (1e12).",
    )
    ERR_POS_031 = Spec(
        400,
        "The underlying symbol is not a symbol of at most 16 characters.",
        "Give the underlying's ticker: letters, digits, '.', '_' and '-'.",
    )
    ERR_POS_032 = Spec(
        400,
        "The currency is not an ISO 4217 code.",
        "Give the code of what the prices are in, such as EUR, or leave it blank for dollars.",
    )

    # The portfolio
    ERR_PORT_001 = Spec(
        409, "You already have a portfolio.", "Delete the existing portfolio first."
    )
    ERR_PORT_002 = Spec(400, "The portfolio's name is blank.", "Give the portfolio a name.")
    ERR_PORT_003 = Spec(
        400,
        "The portfolio's name is longer than 255 characters.",
        "Shorten the name to at most 255 characters.",
    )
    ERR_PORT_004 = Spec(
        400,
        "The equity balance is zero.",
        "Give the account's net liquidation value in dollars, a positive amount.",
    )
    ERR_PORT_005 = Spec(
        400,
        "The equity balance is negative.",
        "Give the account's net liquidation value in dollars, a positive amount.",
    )
    ERR_PORT_006 = Spec(
        400,
        "The equity balance is larger than 1,000,000,000,000.",
        "Give the balance in dollars, not in cents.",
    )
    ERR_PORT_007 = Spec(
        400, "The request has no CSV file.", "Send the positions as the form's csv_file."
    )
    ERR_PORT_008 = Spec(
        400,
        "The CSV file has faults, so nothing was imported.",
        "Mend the listed faults and upload the file again.",
    )
    ERR_PORT_009 = Spec(
        400,
        "The portfolio's description is longer than 1,000 characters.",
        "Shorten the description to at most 1,000 characters.",
    )
    ERR_PORT_010 = Spec(
        400, "The equity balance has more than 2 decimals.", "Round the balance to cents."
    )
    ERR_PORT_011 = Spec(
        400,
        "The equity balance is not a finite number.",
        "Give the account's net liquidation value in dollars.",
    )
    ERR_PORT_012 = Spec(
        400,
        "The portfolio's name or description has a control character.",
        "Remove invisible characters; a description may have line breaks and tabs.",
    )
