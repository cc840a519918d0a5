*** Settings ***
Documentation       The three libraries together without the plan's resources, and a user's own commands in the VM.

Library             VhostLibrary
Library             QemuLibrary
Library             FioLibrary
Resource            ../../../resources/own_commands.resource

Suite Setup         Start Vhost And Vm
Suite Teardown      Close Connection And Stop All


*** Test Cases ***
Own Commands See An Attached Disk
    [Documentation]    SSHLibrary's keywords in the VM, beside the kit's.
    ${event}=    Attach Target    naa.ctrlr1    Nvme0n1
    ${disk}=    Wait Until Disk Is Present    vm1    naa.ctrlr1    ${event.target}    Nvme0n1
    Open Connection To Vm    vm1
    ${sectors}    ${code}=    Execute Command    cat /sys/class/block/$(basename ${disk.node})/size
    ...    return_rc=True
    Should Be Equal As Integers    ${code}    0
    Should Be Equal As Integers    ${sectors}    ${disk.size // 512}
    Put File    ${CURDIR}/own_commands.robot    /tmp/note
    ${lines}=    Execute Command    wc -l < /tmp/note
    Should Be True    ${lines} > 20


*** Keywords ***
Start Vhost And Vm
    [Documentation]    One controller, one disk, one VM.
    Start Vhost
    Create Malloc Disk    Nvme0n1    64 MiB
    Create Controller    naa.ctrlr1
    ${socket}=    Get Controller Socket    naa.ctrlr1
    Define Vm    vm1    controllers=${{ {'naa.ctrlr1': $socket} }}
    Start Vm    vm1
    Wait Until Vm Is Ready    vm1

Close Connection And Stop All
    [Documentation]    In the order in which they depend on each other.
    Close All Connections
    Shut Down Vm    vm1
    Stop Vhost
