*** Settings ***
Documentation       QemuLibrary alone: a VM without controllers, and what keeps a VM from starting.

Library             QemuLibrary

Suite Teardown      Kill All Vms


*** Variables ***
${TAKEN_PORT}       ${EMPTY}
${TEXT_FILE}        ${EMPTY}
${TORN_IMAGE}       ${EMPTY}
${EMPTY_IMAGE}      ${EMPTY}


*** Test Cases ***
No Such Program
    [Documentation]    QEMU is not installed under that name.
    Define Vm    vm1    qemu=nope
    Run Keyword And Expect Error    SetupError: VM 'vm1' cannot start: there is no program 'nope'; install *
    ...    Start Vm    vm1

A Taken Port
    [Documentation]    Another process listens at the SSH port.
    Define Vm    vm1    ssh_port=${TAKEN_PORT}
    Run Keyword And Expect Error    SetupError: *${TAKEN_PORT}*    Start Vm    vm1
    Run Keyword And Expect Error    SetupError: *The SSH port is taken: with ssh_port=0*    Start Vm    vm1

No Such Socket
    [Documentation]    No vhost has made the controller's socket.
    Define Vm    vm1    controllers=${{ {'naa.ctrlr1': '/nowhere/naa.ctrlr1'} }}
    Run Keyword And Expect Error    SetupError: *no socket '/nowhere/naa.ctrlr1'; start vhost*    Start Vm    vm1

Images That Are None
    [Documentation]    A text file, and a qcow2 image of which only the beginning is there.
    Image Should Be Refused    ${TEXT_FILE}
    ...    is not bootable: it is neither qcow2 nor a raw disk with a boot sector*
    Image Should Be Refused    ${TORN_IMAGE}    cannot be used: *
    Image Should Be Refused    /nowhere/guest.qcow2    cannot be read: No such file*

A Vm That Never Boots
    [Documentation]    Its image begins as a boot disk does, and does nothing more. It is a kit's error, soon, and ends.
    Define Vm    vm1    image=${EMPTY_IMAGE}    password=none
    Start Vm    vm1
    Run Keyword And Expect Error    DeadlineError: VM 'vm1' was not ready within 4 s; *
    ...    Wait Until Vm Is Ready    vm1    deadline=4s
    Kill Vm    vm1

A Vm Lives And Ends
    [Documentation]    Boots, takes commands, is healthy, shuts down.
    Define Vm    vm1
    Start Vm    vm1
    Wait Until Vm Is Ready    vm1
    ${result}=    Run In Vm    vm1    uname -s
    Should Be Equal    ${result.stdout.strip()}    Linux
    ${disks}=    Get Vm Disks    vm1
    Should Be Empty    ${disks}
    Vm Should Be Healthy    vm1
    Shut Down Vm    vm1
    ${started}=    Get Started Vms
    Should Be Empty    ${started}


*** Keywords ***
Image Should Be Refused
    [Documentation]    Fails unless the VM does not start, and the message names image and VM and has the words given.
    [Arguments]    ${image}    ${words}
    Define Vm    vm1    image=${image}    password=none
    Run Keyword And Expect Error    SetupError: The image '${image}' of VM 'vm1' ${words}    Start Vm    vm1
