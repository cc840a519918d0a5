*** Settings ***
Documentation       VhostLibrary alone, against the embedded vhost and against sockets that no vhost serves.

Library             VhostLibrary    rpc_deadline=5s

Suite Teardown      Stop Vhost


*** Variables ***
${HUNG_SOCKET}      ${EMPTY}
${STALE_SOCKET}     ${EMPTY}
${PLAIN_FILE}       ${EMPTY}


*** Test Cases ***
Nobody Answers
    [Documentation]    A socket that accepts and stays silent ends the wait at its deadline.
    Connection Should Be Refused    ${HUNG_SOCKET}    No vhost answers on '${HUNG_SOCKET}': *within 2 s*

Nobody Listens
    [Documentation]    A socket that its process left behind.
    Connection Should Be Refused    ${STALE_SOCKET}    No vhost answers on '${STALE_SOCKET}': *Check that vhost runs*

Nothing Is There
    [Documentation]    No file at all.
    Connection Should Be Refused    /nowhere/rpc.sock    There is no RPC socket '/nowhere/rpc.sock'; give *

Not A Socket
    [Documentation]    A file that is not a socket.
    Connection Should Be Refused    ${PLAIN_FILE}    '${PLAIN_FILE}' is not a socket; give *

Disks Are Attached And Detached
    [Documentation]    Controllers, disks and what is attached where, with no VM.
    Start Vhost
    Create Malloc Disk    Nvme0n1    64 MiB
    ${parts}=    Split Disk    Nvme0n1    4
    Create Controller    naa.ctrlr1
    ${event}=    Attach Target    naa.ctrlr1    ${parts}[1]
    ${attached}=    Get Attachments    naa.ctrlr1
    Length Should Be    ${attached}    1
    Should Be Equal    ${attached}[0]    ${event.attachment}
    Detach Target    naa.ctrlr1    ${event.target}
    ${attached}=    Get Attachments    naa.ctrlr1
    Should Be Empty    ${attached}

A Disk That Does Not Exist
    [Documentation]    Named with the disks that there are; it is not a fault of vhost.
    Run Keyword And Expect Error    SetupError: *'Nvme9n1'*Nvme0n1p0*
    ...    Attach Target    naa.ctrlr1    Nvme9n1

A Controller That Does Not Exist
    [Documentation]    Named with the controllers that there are.
    Run Keyword And Expect Error    SetupError: *'naa.ctrlr9'*naa.ctrlr1*
    ...    Attach Target    naa.ctrlr9    Nvme0n1p0


*** Keywords ***
Connection Should Be Refused
    [Documentation]    Fails unless connecting fails within its deadline as the set-up's fault, with the words given.
    [Arguments]    ${socket}    ${words}
    Run Keyword And Expect Error    SetupError: ${words}    Connect To Vhost    ${socket}    deadline=2s
