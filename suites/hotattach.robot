*** Settings ***
Documentation       Hot attach: disks are added to controllers that running VMs use, while fio writes and verifies.
...
...                 The plan's prerequisites: run vhost with 8 empty controllers, prepare 16 NVMe disks, run VMs, first
...                 with ctrlr-1 and ctrlr-2, second with ctrlr-3 and ctrlr-4.
...                 Each case brings about what the cases before it would have left: each runs alone, in any order.

Resource            ../resources/plan.resource

Suite Setup         Run VMs Of The Plan    hotattach    first=ctrlr-1 and ctrlr-2    second=ctrlr-3 and ctrlr-4
Suite Teardown      Shut Down VMs Of Suite
Test Teardown       End The Case

Test Tags           hotattach


*** Test Cases ***
Test Case 1: Attach A Disk
    [Documentation]    The plan:
    ...
    ...    - 1. Attach NVMe to Ctrlr 1
    ...    - 2. Run fio integrity on attached device
    [Setup]    Bring About
    Attach NVMe To Ctrlr    1
    Run Fio Integrity On Attached Device

Test Case 2: Attach A Second Disk To The Controller During Fio
    [Documentation]    The plan:
    ...
    ...    - 1. Run fio integrity on attached device from test case 1
    ...    - 2. During fio attach another NVMe to Ctrlr 1
    ...    - 3. Run fio integrity on both devices
    [Setup]    Bring About    Ctrlr 1=1
    Run Fio Integrity On Attached Device From Test Case 1    in_background=True
    During Fio Attach Another NVMe To Ctrlr    1
    Run Fio Integrity On Both Devices

Test Case 3: Attach A Disk To Another Controller Of The VM During Fio
    [Documentation]    The plan:
    ...
    ...    - 1. Run fio integrity on attached devices from previous test cases
    ...    - 2. During fio attach NVMe to Ctrl2
    ...    - 3. Run fio integrity on all devices
    [Setup]    Bring About    Ctrlr 1=2
    Run Fio Integrity On Attached Devices From Previous Test Cases    in_background=True
    During Fio Attach NVMe To Ctrlr    2
    Run Fio Integrity On All Devices

Test Case 4: Attach A Disk To Another VM During Fio, Then Reboot
    [Documentation]    The plan, which counts these steps from 2:
    ...
    ...    - 2. Run fio integrity on attached device from previous test cases
    ...    - 3. During fio attach NVMe to Ctrl3/VM2
    ...    - 4. Run fio integrity on all devices
    ...    - 5. Reboot VMs
    ...    - 6. Run fio integrity again on all devices
    [Tags]    reboot
    [Setup]    Bring About    Ctrlr 1=2    Ctrlr 2=1
    Run Fio Integrity On Attached Devices From Previous Test Cases    in_background=True
    During Fio Attach NVMe To Ctrlr    3
    Run Fio Integrity On All Devices
    Reboot VMs
    Run Fio Integrity Again On All Devices
