*** Settings ***
Documentation       Steps in the wrong order or with a bad argument: each is refused before it does anything.
...
...                 Only the embedded vhost runs, without VMs.

Resource            ../../../resources/plan.resource

Suite Setup         Run Vhost For Suite Hotdetach
Suite Teardown      Stop Vhost And Check Its End
Test Setup          Attach So Many    0


*** Test Cases ***
What Cannot Be Brought About
    [Documentation]    A misspelt controller, one of another suite, and bad numbers.
    [Template]    Step Should Be Refused
    Suite 'hotdetach' has no controller 'Ctrl 5'; it has Ctrlr 5 (naa.ctrlr5), *    Bring About    Ctrl 5=1
    Suite 'hotdetach' has no controller 'Ctrlr 1'; it has Ctrlr 5 (naa.ctrlr5), *    Bring About    Ctrlr 1=2
    Suite 'hotdetach' has no controller 'naa.ctrlr1'; it has *    Bring About    naa.ctrlr1=2
    Controller 'Ctrlr 5' is to have 'two' disks; give a number from 0 to 8*    Bring About    Ctrlr 5=two
    Controller 'naa.ctrlr5' is to have '9' disks; give a number*    Bring About    naa.ctrlr5=9

Controllers Of No VM Of The Suite
    [Documentation]    Nothing is attached before the refusal.
    [Template]    Step Should Be Refused
    Suite 'hotdetach' has no controller '1'; it has *    Attach NVMe To Ctrlr    1
    Suite 'hotdetach' has no controller 'naa.ctrlr1'; it has *    Attach Disks At Once To Ctrlr    naa.ctrlr1    2
    Suite 'hotdetach' has no controller '9'; it has *    Attach Disks During Fio    9
    A step is to attach 0 disks. Give a number of 1 or more.    Attach Disks At Once To Ctrlr    5    0

Steps Without An Attached Disk
    [Documentation]    No disk is attached.
    [Template]    Step Should Be Refused
    There is no disk for fio. Put 'Attach NVMe To Ctrlr' before this step, *    Run Fio On All Devices
    There is no disk for fio. *    Run Fio Integrity On Attached Devices From Previous Test Cases
    There is no disk for fio. *    Run Fio On 1 Device From Ctrlr    5
    'Run Fio Integrity On Attached Device' needs 1 attached disks in this suite, but there are 0 *
    ...    Run Fio Integrity On Attached Device
    Controller '5' has no disk, so there is no "another" one. *    During Fio Attach Another NVMe To Ctrlr    5
    Controller '5' has no disk to detach. Put 'Attach NVMe To Ctrlr' before *    Detach NVMe From Ctrlr During Fio    5
    No disk was attached in this case yet that could stay without fio. Put 'Attach NVMe To Ctrlr' before *
    ...    Run Fio With Integrity On All Devices Except One

Steps With Another Number Of Disks
    [Documentation]    Three disks are attached.
    [Setup]    Attach So Many    3
    [Template]    Step Should Be Refused
    'Run Fio Integrity On Attached Device' needs 1 attached disks in this suite, but there are 3 (disk 'Malloc0p0' at *
    ...    Run Fio Integrity On Attached Device
    'Run Fio Integrity On Attached Device From Test Case 1' needs 1 attached disks *
    ...    Run Fio Integrity On Attached Device From Test Case 1
    'Run Fio Integrity On Both Devices' needs 2 attached disks *    Run Fio Integrity On Both Devices

Steps Before The Step That They Need
    [Documentation]    A disk is attached, and nothing else was done.
    [Setup]    Attach So Many    1
    [Template]    Step Should Be Refused
    No disk was detached in this case yet. Put 'Detach NVMe From Ctrlr During Fio' before 'Check That Detached *
    ...    Check That Detached Device Is Gone From VM
    No disk was detached in this case yet. *    Check That Fio Job Run On Detached Device Stopped And Failed
    No disk was detached in this case yet. *    Check That Other Fio Jobs Did Not Fail
    No disk was detached in this case yet. *    Check That Fio Jobs Did Not Fail
    No disk was detached in this case yet. *    Run Fio Integrity On All Remaining Devices
    No disk was detached in this case yet. *    Wait Until Detached Disks Are Gone
    No fio has run in this case yet. *    Run Fio Integrity Again On All Devices
    No fio is prepared in this case yet. *'Detach NVMe From Ctrlr During Fio'.    Detach NVMe From Ctrlr During Fio    5
    No fio is prepared in this case yet. *    During Fio Attach NVMe To Ctrlr    5
    No fio is prepared in this case yet. *    During Fio Attach Another NVMe To Ctrlr    5
    No fio is prepared in this case yet. *    Detach Disks During Fio    ${None}
    No disk has a fio of its own in this case yet. *    Detach NVMe From Ctrlr During Fio Traffic    5
    No disk has a fio of its own in this case yet. *    Run Separate Fio With Integrity On All Other Devices
    No disk was left without fio in this case yet. *
    ...    Detach NVMe Without Traffic During Fio Running On Other Devices
    'Detach Disks' was given no disk. *    Detach Disks

Steps After A Step That Does Not Fit
    [Documentation]    What the case has done before, as the steps remember it.
    [Setup]    Attach So Many    2
    ${disks}=    Get Disks Of Suite
    ${event}=    Attach Target    naa.ctrlr6    ${DISKS_OF_THE_RUN}[9]
    VAR    @{ATTACHED}    ${event}    scope=TEST
    Step Should Be Refused    Disk '${DISKS_OF_THE_RUN}[9]' was attached in this case and not in a case before. *
    ...    Run Fio Integrity On Attached Devices From Previous Test Cases
    VAR    @{DETACHED}    ${event}    scope=TEST
    Step Should Be Refused    Disk '${DISKS_OF_THE_RUN}[9]' was detached in this case and is attached again. *
    ...    Run Fio Integrity On All Remaining Devices
    Step Should Be Refused    No fio has met an event in this case yet. *    Check That Other Fio Jobs Did Not Fail
    VAR    ${DISK_WITH_TRAFFIC}    ${disks}[0]    scope=TEST
    Step Should Be Refused    The disk with a fio of its own is on controller 'naa.ctrlr5', not 'naa.ctrlr6'. *
    ...    Detach NVMe From Ctrlr During Fio Traffic    6
    VAR    ${FIO_IS_UNCHECKED}    ${True}    scope=TEST
    Step Should Be Refused    fio ran during an event of this case, and no step has checked it. *
    ...    Run Fio On All Devices


*** Keywords ***
Run Vhost For Suite Hotdetach
    [Documentation]    Starts vhost; the suite has the controllers of hotdetach, and no VM of it runs.
    Run Vhost Of Test Bed
    ${suite_bed}=    Get Suite Of Test Bed    ${TESTBED}    hotdetach
    VAR    ${SUITE_BED}    ${suite_bed}    scope=SUITE
    VAR    @{SUITE_CONTROLLERS}    @{suite_bed.controllers}    scope=SUITE

Attach So Many
    [Documentation]    Brings controller 5 to so many disks and all others to none, without a guest.
    [Arguments]    ${count}
    ${attached}=    Get Attachments    @{TESTBED.controllers}
    FOR    ${each}    IN    @{attached}
        Detach Target    ${each.controller}    ${each.target}
    END
    FOR    ${number}    IN RANGE    ${count}
        Attach Target    naa.ctrlr5    ${DISKS_OF_THE_RUN}[${number}]
    END

Step Should Be Refused
    [Documentation]    Fails unless a step fails with SuiteError, and leaves what is attached as it was.
    [Arguments]    ${message}    ${step}    @{positional}    &{named}
    ${before}=    Get Attachments
    Run Keyword And Expect Error    SuiteError: ${message}    ${step}    @{positional}    &{named}
    ${after}=    Get Attachments
    Should Be Equal    ${before}    ${after}
