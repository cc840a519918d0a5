*** Settings ***
Documentation       FioLibrary alone, on a guest that something else has started: only its SSH address is known.

Library             FioLibrary


*** Variables ***
${PORT}             ${EMPTY}
${KEY_FILE}         ${EMPTY}
${NODE}             ${EMPTY}
${BAD_VALUE}        ${EMPTY}
&{DISK}             Lone0=${NODE}


*** Test Cases ***
An Unknown Guest
    [Documentation]    No address was given yet.
    Run Keyword And Expect Error    *Error: *'guest'*    Prepare Fio    guest    ${DISK}

A Value That Fio Refuses
    [Documentation]    Its own words are in the message.
    Use Guest    guest    127.0.0.1    ${PORT}    key_file=${KEY_FILE}
    Run Keyword And Expect Error    SetupError: *bad_value.job*banana*
    ...    Prepare Fio    guest    ${DISK}    job=${BAD_VALUE}

The Default Job Passes
    [Documentation]    The plan's default job writes and verifies.
    ${run}=    Prepare Fio    guest    ${DISK}    runtime=4s
    Start Fio    ${run}
    Wait Until Fio Moves Bytes    ${run}
    Fio Should Have Passed    ${run}
    ${result}=    Get Fio Results    ${run}
    Should Be True    $result.disks["Lone0"].rates.write_bytes > 0

Fio Is Stopped
    [Documentation]    A run that is stopped gives no verdict, and the next one starts.
    ${run}=    Prepare Fio    guest    ${DISK}    runtime=60s
    Start Fio    ${run}
    Wait Until Fio Moves Bytes    ${run}
    Stop Fio    ${run}
    Run Keyword And Expect Error    KitError: *    Fio Should Have Passed    ${run}
